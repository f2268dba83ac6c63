"""Commands about the results of finished jobs, on this machine or of a cluster."""
