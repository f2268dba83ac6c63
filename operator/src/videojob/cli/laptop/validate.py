"""`videojob validate`: every problem of every manifest, for a person or for a script."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from videojob.api.loading.load import load_manifests
from videojob.api.loading.problems import ManifestProblem, ManifestProblems
from videojob.cli.exit_codes import ExitCode
from videojob.errors import ManifestError
from videojob.printable import printable


def validate(
    manifests: Annotated[list[Path], typer.Argument(help="Manifest files.", metavar="FILE…")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")] = False,
) -> None:
    """Check manifests without running them; every problem comes with its line and what would be right.

    Exits with 0 when all are valid, with 1 when one is not, with 2 when the command itself is wrong.
    """
    found = validate_files(manifests)
    text = validation_json(found) if as_json else validation_text(found)
    sys.stdout.write(f"{text}\n")
    raise typer.Exit(found.exit_code)


@dataclass(frozen=True, slots=True)
class Validation:
    """What came of checking some files.

    Attributes:
        jobs: (file, name of the job) of every good manifest.
        problems: everything that is wrong, by file and place.
    """

    jobs: tuple[tuple[str, str], ...]
    problems: tuple[ManifestProblem, ...]

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong, else 1: the files were checked as asked, which no usage error (2) can say."""
        return ExitCode.FAILED if self.problems else ExitCode.OK


def validate_files(paths: Sequence[Path]) -> Validation:
    """Checks manifests without touching a video, a server or a cluster.

    Args:
        paths: files; each is checked, whatever is wrong with the others.
    """
    jobs: list[tuple[str, str]] = []
    problems: list[ManifestProblem] = []
    for path in paths:
        try:
            jobs += [(str(path), job.metadata.name) for job in load_manifests(path)]
        except ManifestProblems as error:
            problems += error.problems
        except ManifestError as error:
            problems.append(ManifestProblem(str(path), 1, 1, "", error.message, error.hint))
    return Validation(tuple(jobs), tuple(problems))


def validation_text(result: Validation) -> str:
    """One line per problem as `file:line:column: field: what. fix`, one per good job, and a count of the problems."""
    lines = [str(problem) for problem in result.problems]
    lines += [f"{file}: {name} is valid" for file, name in result.jobs]
    if result.problems:
        count = len(result.problems)
        lines.append(f"{count} problem{'' if count == 1 else 's'}")
    return "\n".join(map(printable, lines))


def validation_json(result: Validation) -> str:
    """The same for a script: `valid`, `jobs` and `problems`; in ASCII, so that no terminal obeys what is in it."""
    values = {
        "valid": not result.problems,
        "jobs": [{"file": file, "name": name} for file, name in result.jobs],
        "problems": [problem.as_dict() for problem in result.problems],
    }
    return json.dumps(values, indent=2)
