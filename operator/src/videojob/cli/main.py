"""The `videojob` command. Every error of the tree ends here: one message on stderr and an exit code."""

from __future__ import annotations

import json
import sys

import typer
from rich.console import Console
from rich.text import Text

import videojob
from videojob.cli.exit_codes import ExitCode
from videojob.cli.run import run
from videojob.errors import Cancelled, ManifestError, VideoJobError

app = typer.Typer(
    name="videojob",
    help="Video inference at the lowest cost: one manifest, on a laptop or on a cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)


@app.command()
def version() -> None:
    """Print the version."""
    Console().print(videojob.__version__, highlight=False)


def main() -> None:
    """Entry point; exits with an `ExitCode`."""
    try:
        app()
    except VideoJobError as error:
        _report(error)
        sys.exit(exit_code(error))


def exit_code(error: VideoJobError) -> ExitCode:
    """What a script sees of an error."""
    if isinstance(error, ManifestError):
        return ExitCode.USAGE
    return ExitCode.INTERRUPTED if isinstance(error, Cancelled) else ExitCode.FAILED


def _report(error: VideoJobError) -> None:
    if "--json" in sys.argv:
        Console().print(json.dumps({"state": "Failed", "error": error.as_dict()}), markup=False, soft_wrap=True)
        return
    Console(stderr=True).print(Text(str(error), style="red"), soft_wrap=True)
