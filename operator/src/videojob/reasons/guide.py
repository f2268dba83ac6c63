"""The reasons as pages: the sections of the troubleshooting guide and the tables of the reference. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from videojob.reasons.row import Phase, Reason, Where
from videojob.reasons.table import REASONS

BEGIN = "<!-- Reasons: `make generate` writes from here on, from operator/src/videojob/reasons. Do not edit. -->\n"
END = "<!-- Reasons: end of what `make generate` writes. -->\n"


def guide_with_reasons(page: str) -> str:
    """The troubleshooting guide with current sections between its two marks; what people wrote around them stays.

    Raises:
        ValueError: the page lacks a mark.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("the troubleshooting guide lacks the marks between which the reasons are written")
    sections = "\n".join(_section(REASONS[word]) for word in sorted(REASONS))
    return f"{head}{BEGIN}\n{sections}\n{END}{tail}"


def reference_tables() -> Iterator[str]:
    """The tables of all reasons, one for each kind of state, as Markdown."""
    yield "## Reasons\n\nThe word in the STATUS column, which is the reason of the `Succeeded` condition.\n"
    for phase in Phase:
        status, kind = phase.value.split(": ")
        rows = [_row(one) for one in REASONS.values() if one.phase is phase]
        head = f"### {kind[0].upper()}{kind[1:]} (`Succeeded` is {status})\n\n"
        columns = (
            f"| reason | meaning | {Where.MACHINE.value} | {Where.CLUSTER.value} | retryable |\n|---|---|---|---|---|\n"
        )
        yield head + columns + "\n".join(rows) + "\n"


def _row(one: Reason) -> str:
    cells = (f"`{one.word}`", one.meaning, one.machine, one.cluster, "yes" if one.retryable else "no")
    return f"| {' | '.join(cells)} |"


def _section(one: Reason) -> str:
    kind = ""
    if one.phase is Phase.FAILED:
        kind = " Retryable." if one.retryable else " Not retryable."
    advice = f"{one.machine}\n"
    if one.machine != one.cluster:
        advice = f"- **On one machine.** {one.machine}\n- **On a cluster.** {one.cluster}\n"
    details = f"\n{one.details}" if one.details else ""
    return f"## {one.word}\n\n{one.meaning}{kind}\n\n{advice}{details}"
