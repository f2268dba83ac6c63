"""Rows of figures with their limits, as text for a terminal and as Markdown for the reference. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.table import aligned, markdown, number

HEADINGS = ("run", "measurement", "figure", "unit", "limit", "met", "notes")
_RIGHT = frozenset({2})


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        figure: how much. unit: of it and of the limit.
        limit: the most that is allowed, or the least when `at_least`; None when the figure only informs.
        note: how it came about, where the name does not say that.
    """

    name: str
    figure: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps to its limit; None without one."""
        if self.limit is None:
            return None
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave.

    Attributes:
        name: of its module. rows: those that it measured before it ended.
        failure: its error when it did not come to its end; "" when it did.
    """

    name: str
    rows: tuple[Row, ...]
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether it came to its end and every figure keeps to its limit."""
        return not self.failure and all(row.met is not False for row in self.rows)


def cells(run: str, row: Row) -> tuple[str, ...]:
    """The row as words, in the order of `HEADINGS`."""
    limit = "" if row.limit is None else f"{'>=' if row.at_least else '<='} {number(row.limit)}"
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return (run, row.name, number(row.figure), row.unit, limit, met, row.note)


def text_table(runs: Sequence[Run]) -> str:
    """Aligned columns; a run that failed has a last line that says so."""
    return aligned(HEADINGS, _lines(runs), _RIGHT)


def markdown_table(runs: Sequence[Run]) -> str:
    """The same for the reference."""
    return markdown(HEADINGS, _lines(runs), _RIGHT)


def _lines(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    lines = []
    for run in runs:
        lines += [cells(run.name, row) for row in run.rows]
        if run.failure:
            lines.append((run.name, "FAILED", "", "", "", "NO", run.failure.strip().splitlines()[-1]))
    return lines
