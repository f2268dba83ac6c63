"""By which name this program was called: asked before any command is loaded, so of the standard library alone."""

from __future__ import annotations

import sys
from pathlib import Path

PLUGIN = "kubectl-videojob"
"""The name under which kubectl finds this program."""
COMPLETE_VARIABLE = "_VIDEOJOB_COMPLETE"
"""Environment variable by which a shell asks for completions."""


def is_plugin() -> bool:
    """Whether this program runs as `kubectl videojob`: then a job is one of the cluster."""
    return Path(sys.argv[0]).name.startswith(PLUGIN)


def program_name() -> str:
    """The name of this program as its user typed it."""
    return "kubectl videojob" if is_plugin() else "videojob"
