"""Exit codes that a script can rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command came to."""

    OK = 0
    FAILED = 1
    """It could not do what was asked. Of `validate`: it did, and a manifest is not valid."""
    USAGE = 2
    """The manifest or the options are wrong: nothing was started."""
    PARTIAL = 3
    """Results are there, but not of everything: failed inputs or gaps."""
    INTERRUPTED = 130
    """Stopped by a signal; a rerun goes on."""
