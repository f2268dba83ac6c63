"""Entry point of the `videojob` command. Every error of the tree ends here: one message on stderr and an exit code.

What runs in pods is imported without the commands for people: a job has thousands of pods, and each pays for what it
imports. A controller that is started again should lead soon.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from videojob.cli.failures import exit_code, setup_error, tell_failure
from videojob.errors import VideoJobError

_WORKER, _SWITCH, _CONTROLLER = "worker", "stop-servers", "controller"


def main() -> None:
    """Runs the command; exits with an `ExitCode`."""
    try:
        match sys.argv[1:2]:
            case [command] if command == _WORKER:
                _worker()
            case [command] if command == _SWITCH:
                _switch()
            case [command] if command == _CONTROLLER:
                _controller()
            case _:
                _everything()
    except VideoJobError as error:
        _end(error)
    except OSError as error:
        _end(setup_error(error))


def _worker() -> None:
    from videojob.cli.worker import app  # noqa: PLC0415 - alone

    app(args=sys.argv[2:], prog_name=f"videojob {_WORKER}")


def _switch() -> None:
    from videojob.cli.stop_servers import app  # noqa: PLC0415 - alone, and no command for people

    app(args=sys.argv[2:], prog_name=f"videojob {_SWITCH}")


def _controller() -> None:
    from videojob.cli.operator_command import operator_command  # noqa: PLC0415 - alone

    operator_command()(args=sys.argv[2:], prog_name=f"videojob {_CONTROLLER}")


def _everything() -> None:
    from videojob.cli.app import app  # noqa: PLC0415 - imports what pods do not need
    from videojob.cli.cluster import program_name  # noqa: PLC0415 - the same
    from videojob.cli.completion import COMPLETE_VARIABLE  # noqa: PLC0415 - the same

    app(prog_name=program_name(), complete_var=COMPLETE_VARIABLE)


def _end(error: VideoJobError) -> NoReturn:
    tell_failure(error, sys.argv)
    sys.exit(exit_code(error))
