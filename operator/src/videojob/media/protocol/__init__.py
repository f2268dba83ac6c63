"""What parent and decoder process exchange: requests, answers, and frames in a ring."""
