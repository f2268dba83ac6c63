"""One segment from its file to its commit. A laptop's worker, a pod and a function call it alike."""
