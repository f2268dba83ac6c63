"""How fast hardware is: frames per second, decoding, cold starts, each figure with its spread and its origin."""
