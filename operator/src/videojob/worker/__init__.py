"""The segment runner: one segment from its file to its commit. It does not know whether a laptop, a Job or a function calls."""
