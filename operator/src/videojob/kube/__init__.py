"""PURE: Kubernetes objects as plain dictionaries. `render` writes them, `read` reads them, `doctor` judges a cluster."""
