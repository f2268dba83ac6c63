"""What is wrong with a manifest, said for the person who wrote it: place, field, what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videojob.errors import ManifestError


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """One thing to put right.

    Attributes:
        file: as the user named it.
        line, column: of the field, counted from 1.
        field: dotted path as users write it, `spec.inputs[0].s3.bucket`; "" for the whole document.
        what: what is wrong, one sentence without a full stop.
        fix: what would be right, one sentence; may be empty.
    """

    file: str
    line: int
    column: int
    field: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        field = f"{self.field}: " if self.field else ""
        return f"{where}{field}{self.what}.{' ' + self.fix if self.fix else ''}"

    def as_dict(self) -> dict[str, str | int]:
        """JSON-able values."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "field": self.field,
            "what": self.what,
            "fix": self.fix,
        }


class ManifestProblems(ManifestError):
    """A manifest with at least one problem; carries all of them.

    Attributes:
        problems: in the order of their places.
    """

    def __init__(self, problems: Sequence[ManifestProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column)))
        first = self.problems[0]
        more = len(self.problems) - 1
        tail = f" (and {more} more)" if more else ""
        super().__init__(
            f"{first}{tail}", uri=first.file, hint="`videojob validate` lists every problem with its place."
        )


def field_text(path: Sequence[str | int]) -> str:
    """Dotted path: ("spec", "inputs", 0, "file") becomes `spec.inputs[0].file`."""
    text = ""
    for part in path:
        if part == "[key]":  # pydantic's word for "the name itself, not its value"
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
