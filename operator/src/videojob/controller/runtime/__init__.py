"""The controller as a process: kopf's events, the work queue, the lease, health and metrics."""
