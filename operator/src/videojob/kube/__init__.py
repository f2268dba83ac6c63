"""PURE: Kubernetes objects as dictionaries: `render` writes them, `read` reads them, `doctor` checks a cluster."""
