"""The programs of a job's pods on a cluster: the planner, a batch of segments, and what runs before a Triton server."""
