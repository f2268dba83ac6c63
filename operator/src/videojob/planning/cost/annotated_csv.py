"""Tables of the package: CSV below lines of comments, of which those like `# region: us-east-1` state facts. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

_EPOCH = date(1970, 1, 1)
_DAY_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class AnnotatedTable:
    """A table and what its comments state.

    Attributes:
        facts: by their names, in lower case.
        rows: each by column.
    """

    facts: Mapping[str, str]
    rows: tuple[Mapping[str, str], ...]

    def fact(self, name: str) -> str:
        """What the comments state under that name.

        Raises:
            ValueError: they do not.
        """
        if name not in self.facts:
            raise ValueError(f"the table does not state {name!r}")
        return self.facts[name]

    def day_s(self, name: str) -> int:
        """A stated day, as in 2026-07-20, in seconds since the epoch, UTC.

        Raises:
            ValueError: it is not stated, or is no day.
        """
        return (date.fromisoformat(self.fact(name)) - _EPOCH).days * _DAY_S


def read_table(text: str) -> AnnotatedTable:
    """The table that a text holds.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """
    lines = text.splitlines()
    comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    stated = (comment.partition(": ") for comment in comments)
    facts = {name.lower(): value.strip() for name, colon, value in stated if colon}
    rows = tuple(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))
    for row in rows:
        if None in row or None in row.values():
            raise ValueError(f"row {next(iter(row.values()))!r} has another number of cells than the table has columns")
    return AnnotatedTable(facts, rows)
