"""The table: rows of ratios, as text for a terminal and as Markdown for the reference. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from bench.measure import DISTURBED_SHARE, Ratio

HEADINGS = ("measurement", "clip", "ours", "against", "unit", "ratio", "range (pairs)", "aim", "outputs and notes")
_RIGHT = frozenset({2, 3, 5})


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Attributes:
        name: what is compared with what: "ours / naive".
        clip: which video; "" when none plays a part.
        ours, against: medians of the two sides.
        unit: of both.
        ratio: ours / against.
        aim: the least ratio aimed at, or the greatest when `lower_is_better`; None when there is none.
        lower_is_better: for costs.
        note: what outputs were compared and how many agreed; "emulated" where a device is.
        others_share: the most that others took of the machine in one of the runs.
    """

    name: str
    clip: str
    ours: float
    against: float
    unit: str
    ratio: Ratio
    aim: float | None = None
    lower_is_better: bool = False
    note: str = ""
    others_share: float = 0.0

    @property
    def reached(self) -> bool | None:
        """Whether the median meets the aim; None without one."""
        if self.aim is None:
            return None
        return self.ratio.median <= self.aim if self.lower_is_better else self.ratio.median >= self.aim


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be measured: a row that is not there.

    Attributes:
        name: as the row would have had it.
        why: how it failed, in one line or more.
    """

    name: str
    why: str

    @property
    def line(self) -> str:
        """For a list of what failed."""
        first, *_ = self.why.strip().splitlines() or [""]
        return f"{self.name}: {first}"


def cells(row: Row) -> tuple[str, ...]:
    """The row as words, in the order of `HEADINGS`."""
    ratio = row.ratio
    spread = f"{ratio.low:.2f}-{ratio.high:.2f} ({ratio.pairs})" if ratio.pairs > 1 else "(1)"
    if row.aim is None:
        aim = ""
    else:
        aim = f"{'<=' if row.lower_is_better else '>='} {row.aim:g} {'yes' if row.reached else 'NO'}"
    return (
        row.name,
        row.clip,
        number(row.ours),
        number(row.against),
        row.unit,
        _ratio_text(ratio.median),
        spread,
        aim,
        row.note
        if row.others_share < DISTURBED_SHARE
        else f"{row.note}; DISTURBED: others took {row.others_share:.0%}",
    )


def number(value: float) -> str:
    """Three significant digits, whole thousands with separators."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _ratio_text(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def text_table(rows: Sequence[Row]) -> str:
    """Aligned columns."""
    return aligned(HEADINGS, [cells(row) for row in rows], _RIGHT)


def markdown_table(rows: Sequence[Row]) -> str:
    """The same for the reference."""
    return markdown(HEADINGS, [cells(row) for row in rows], _RIGHT)


def aligned(headings: tuple[str, ...], lines: Sequence[tuple[str, ...]], right: Set[int]) -> str:
    """Lines of words in aligned columns below their headings; `right` are the columns aligned to the right."""
    widths = [max(len(line[column]) for line in (headings, *lines)) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (headings, tuple("-" * width for width in widths), *lines)
    )


def markdown(headings: tuple[str, ...], lines: Sequence[tuple[str, ...]], right: Set[int]) -> str:
    """The same as a table of Markdown."""
    rule = tuple("--:" if column in right else "---" for column in range(len(headings)))
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in (headings, rule, *lines))
