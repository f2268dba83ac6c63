"""PURE decisions: how a video is cut into segments, which frames count, what a job's identity is.

Nothing here reads a clock, a file, a socket or the environment.
"""
