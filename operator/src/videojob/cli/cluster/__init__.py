"""Commands about a VideoJob, or about the installation, on a cluster."""
