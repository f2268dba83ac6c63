"""Exit codes that a script can rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command came to."""

    OK = 0
    FAILED = 1
    """The command failed. For `validate`: a manifest is not valid."""
    USAGE = 2
    """The manifest or the options are wrong: nothing was started."""
    PARTIAL = 3
    """The results are incomplete: some inputs failed, or there are gaps."""
    INTERRUPTED = 130
    """Stopped by a signal; a rerun continues."""
