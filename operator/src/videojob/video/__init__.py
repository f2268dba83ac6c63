"""PURE: what a video is, how it is split into segments, which of its frames count, and what identifies a run."""
