"""Running segments: `segment` runs one anywhere, `steps` are shared by laptop and cluster, `pods` are the cluster's programs."""
