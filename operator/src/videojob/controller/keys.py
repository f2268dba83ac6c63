"""How objects are named within the controller."""

JobKey = tuple[str, str]
"""(namespace, name) of a VideoJob."""
