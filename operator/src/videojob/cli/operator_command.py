"""The command of the operator, imported only by who runs it: it takes the extra `controller`, and most of a second."""

from __future__ import annotations

from typing import Any

import typer

from videojob.errors import SetupError


def operator_command() -> Any:
    """`controller`, for the command line.

    Raises:
        SetupError: its packages are not installed.
    """
    try:
        from videojob.cli.controller import controller  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise SetupError(
            f"the operator needs {error.name}, which is not installed", hint="pip install 'videojob[controller]'"
        ) from error
    alone = typer.Typer(add_completion=False)
    help_too = {"help_option_names": ["-h", "--help"]}
    alone.command(name="controller", hidden=True, context_settings=help_too)(controller)
    return typer.main.get_command(alone)
