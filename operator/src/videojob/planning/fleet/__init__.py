"""The shared inference servers: how many replicas, for all jobs together."""
