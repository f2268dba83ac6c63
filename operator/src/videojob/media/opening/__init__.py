"""Opening a container that comes from outside, and choosing its video stream. Runs in the decoder process only."""
