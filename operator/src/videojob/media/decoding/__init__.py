"""From packets to intact pictures in presentation order. Runs in the decoder process only."""
