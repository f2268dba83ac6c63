"""The command line imports a command when it is run, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from videojob.cli.app import app
from videojob.cli.commands import COMMANDS
from videojob.cli.lazy import CommandEntry

_TELL = """
import sys
sys.argv = ["videojob", *{arguments!r}]
from videojob.cli.main import main
try:
    main()
except SystemExit:
    pass
names = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
print(",".join(sorted(name for name in names if not name.startswith("_"))), file=sys.stderr)
print(",".join(sorted(name for name in sys.modules if name.startswith("videojob.cli."))), file=sys.stderr)
"""
TYPER = {"annotated_doc", "annotated_types", "pydantic", "pydantic_core", "rich", "shellingham", "typer"}
"""Typer imports pydantic by itself when a command is run, where it is installed."""
PACKAGES = TYPER | {"typing_extensions", "typing_inspection", "videojob"}
"""All that a command without work may import."""
RICH = {"attr", "markdown_it", "mdurl", "pygments"}
"""Rich draws a page of help with these."""
OURS = {"app", "commands", "exit_codes", "failures", "lazy", "main", "program", "terminal"}


def imported(*arguments: str) -> tuple[set[str], set[str]]:
    """(packages, modules of the command line) that a command has imported at its end."""
    code = _TELL.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    packages, ours = done.stderr.splitlines()[-2:]
    return set(packages.split(",")), {name.removeprefix("videojob.cli.") for name in ours.split(",")}


def at_start() -> set[str]:
    """Packages that this interpreter imports by itself: an editable install, a tool for coverage."""
    code = "import sys; print(','.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.strip().split(","))


def test_the_version_is_printed_by_typer_alone() -> None:
    packages, ours = imported("version")
    assert packages - at_start() <= PACKAGES
    assert ours == OURS | {"version"}


@pytest.mark.parametrize("arguments", [("--help",), (), ("nosuch",)], ids=["help", "nothing", "unknown"])
def test_help_imports_no_command(arguments: tuple[str, ...]) -> None:
    packages, ours = imported(*arguments)
    assert packages - at_start() <= PACKAGES | RICH
    assert ours == OURS


def test_a_command_is_imported_without_the_others() -> None:
    packages, ours = imported("validate", "nosuch.yaml")
    assert ours == OURS | {"laptop", "laptop.validate"}
    assert not packages & {"boto3", "grpc", "av", "cv2", "numpy", "onnx"}


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_table_says_what_the_command_says(entry: CommandEntry) -> None:
    command = entry.load()
    assert command.name == entry.name
    assert " ".join(command.help.split("\n\n")[0].split()) == entry.summary


def test_every_command_of_the_table_is_one_of_the_program() -> None:
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="videojob")
    assert group.list_commands(context) == [entry.name for entry in COMMANDS]
