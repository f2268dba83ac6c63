"""Where the jobs run that this process is about: the one thing about advice that a row does not know.

The commands for a cluster and the programs of pods say so once, when they begin; everything else is about one machine.
"""

from __future__ import annotations

from videojob.reasons.row import Where


class _Process:
    where = Where.MACHINE


def settle_on(where: Where) -> None:
    """From now on this process gives the advice for that place."""
    _Process.where = where


def here() -> Where:
    """The place that this process is about."""
    return _Process.where
