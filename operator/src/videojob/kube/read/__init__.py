"""PURE: from Kubernetes objects, as the API server gives them, to the values that decisions and commands use."""
