"""Opening a container that nobody trusts, and choosing its video stream. Runs in the decoder process only."""
