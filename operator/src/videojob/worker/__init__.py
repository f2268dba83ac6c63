"""Running segments: `segment` runs one anywhere, laptop and cluster share `steps`, `pods` has its programs."""
