"""Commands that work on this machine alone."""
