"""Desired -> Kubernetes objects and status: PURE, plain dictionaries as the API server takes them."""
