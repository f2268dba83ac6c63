"""The laptop's own Triton: found in a wheel, fed with a repository made for the official image, never left behind."""
