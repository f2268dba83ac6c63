"""PURE: from what is desired to Kubernetes objects, a VideoJob's status and its Events."""
