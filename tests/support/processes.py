"""Processes that tests need only as facts."""

from __future__ import annotations

import subprocess


def dead_process_id() -> int:
    """The id of a process that ran and is gone."""
    with subprocess.Popen(["true"]) as process:
        return process.pid
