"""PURE decisions about a VideoJob on a cluster: what should exist, where it runs, how much of it, and why it waits.

Nothing here reads a clock, a file, a socket or the environment.
"""
