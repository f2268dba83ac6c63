"""`videojob version`."""

from __future__ import annotations

import sys

import videojob


def version() -> None:
    """Print the version."""
    sys.stdout.write(f"{videojob.__version__}\n")
