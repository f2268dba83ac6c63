"""The segment runner: one segment from its file to its commit. Laptop, Job and function call it alike."""
