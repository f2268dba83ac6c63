"""A VideoJob from its beginning to its end: begin, suspend, deadline, finalise; conditions and Events."""
