"""Entry point of the `videojob` command. Every error of the tree ends here: one message on stderr and an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

from videojob.cli.app import app
from videojob.cli.failures import exit_code, setup_error, tell_failure
from videojob.cli.program import COMPLETE_VARIABLE, program_name
from videojob.errors import VideoJobError


def main() -> None:
    """Runs the command; exits with an `ExitCode`."""
    try:
        app(prog_name=program_name(), complete_var=COMPLETE_VARIABLE)
    except VideoJobError as error:
        _end(error)
    except OSError as error:
        _end(setup_error(error))


def _end(error: VideoJobError) -> NoReturn:
    tell_failure(error, sys.argv)
    sys.exit(exit_code(error))
