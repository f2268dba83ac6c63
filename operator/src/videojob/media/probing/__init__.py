"""What a video is, and where its index lies. Runs in the decoder process only."""
