"""The `videojob` command, with nothing imported of what its commands need; `main` runs it."""

from __future__ import annotations

import typer

from videojob.cli.commands import MainCommands
from videojob.cli.program import is_plugin

app = typer.Typer(
    name="videojob",
    cls=MainCommands,
    help="Video inference from one manifest, on a laptop or on a cluster.",
    no_args_is_help=True,
    add_completion=not is_plugin(),  # kubectl has its own, which asks `completion.main`
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main_command() -> None:
    """Typer makes a group of an app that has a callback; the commands are those of `MainCommands`."""
