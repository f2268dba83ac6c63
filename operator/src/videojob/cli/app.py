"""All of the `videojob` command; `main` runs it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import videojob
from videojob.cli.cluster import is_plugin
from videojob.cli.crd import CrdFormat, crd_text
from videojob.cli.doctor import doctor
from videojob.cli.failures import Commands
from videojob.cli.logs import logs
from videojob.cli.models import app as models_app
from videojob.cli.operator_command import operator_command
from videojob.cli.results import report, results
from videojob.cli.run import run
from videojob.cli.suspend import resume, suspend
from videojob.cli.validate import validate_files, validation_json, validation_text
from videojob.cli.watch import watch
from videojob.cli.worker import app as worker_app


class MainCommands(Commands):
    """Imports the operator for its own command alone: that takes the extra `controller`, and a second."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All that can be run here."""
        operator = ["controller"] if importlib.util.find_spec("kopf") else []
        return [*super().list_commands(ctx), *operator]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them.

        Raises:
            SetupError: it is the operator, whose packages are not installed.
        """
        return operator_command() if cmd_name == "controller" else super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="videojob",
    cls=MainCommands,
    help="Video inference from one manifest, on a laptop or on a cluster.",
    no_args_is_help=True,
    add_completion=not is_plugin(),  # kubectl has its own, which asks `completion.main`
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(results)
app.command()(report)
app.command()(watch)
app.command()(logs)
app.command()(suspend)
app.command()(resume)
app.command()(doctor)
app.add_typer(models_app, name="models")
app.add_typer(worker_app, name="worker", hidden=True)


@app.command()
def validate(
    manifests: Annotated[list[Path], typer.Argument(help="Manifest files.", metavar="FILE…")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Check manifests without starting anything; names file, line, field, what is wrong and what would be right.

    Ends with 0 when all are valid, with 1 when one is not, with 2 when the command itself is wrong.
    """
    found = validate_files(manifests)
    text = validation_json(found) if as_json else validation_text(found)
    sys.stdout.write(f"{text}\n")
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
    sys.stdout.write(f"{videojob.__version__}\n")
