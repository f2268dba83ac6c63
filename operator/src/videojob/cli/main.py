"""The `videojob` command. Every error of the tree ends here: one message on stderr and an exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import videojob
from videojob.cli.crd import CrdFormat, crd_text
from videojob.cli.exit_codes import ExitCode
from videojob.cli.models import app as models_app
from videojob.cli.results import report, results
from videojob.cli.run import run
from videojob.cli.validate import validate_files, validation_json, validation_text
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
app.command()(results)
app.command()(report)
app.add_typer(models_app, name="models")


@app.command()
def validate(
    manifests: Annotated[list[Path], typer.Argument(help="Manifest files.", metavar="FILE…")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Check manifests without starting anything; names file, line, field, what is wrong and what would be right."""
    found = validate_files(manifests)
    text = validation_json(found) if as_json else validation_text(found)
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(found.exit_code)


@app.command()
def crd(
    form: Annotated[CrdFormat, typer.Option("--format", help="The CRD, or its reference page.")] = CrdFormat.YAML,
) -> None:
    """Print the CustomResourceDefinition, for `kubectl apply -f -`."""
    sys.stdout.write(crd_text(form))


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
