"""Folding a job's commits into its summary, in a process of its own beside the controller."""
