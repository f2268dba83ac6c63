"""`python -m bench`: measures and prints the table; `--quick` takes minutes, the whole most of an hour."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.conditions import conditions
from bench.launch import VariantFailed
from bench.plan import FULL, QUICK, Plan
from bench.rows import decode, emulated, end_to_end, memory, resume, startup, transport, writes
from bench.table import Missing, Row, cells, markdown_table, text_table
from videojob.errors import VideoJobError

ROWS: dict[str, Callable[[Plan], Iterator[Row | Missing]]] = {
    "end-to-end": end_to_end.rows,
    "decode": decode.rows,
    "emulated": emulated.rows,
    "transport": transport.rows,
    "writes": writes.rows,
    "memory": memory.rows,
    "resume": resume.rows,
    "startup": startup.rows,
}


def main() -> int:
    """Parses the arguments, measures, prints."""
    options = _arguments()
    plan = QUICK if options.quick else FULL
    if options.clips:
        plan = replace(plan, clips=tuple(options.clips.split(",")))
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    plan = replace(plan, patience=options.patience)
    chosen = options.only.split(",") if options.only else list(ROWS)
    print(conditions(), file=sys.stderr)
    found = [one for theme in chosen for one in measured(theme, ROWS[theme](plan))]
    rows = [one for one in found if isinstance(one, Row)]
    print(f"{conditions()}\n\n{text_table(rows)}")
    if options.markdown:
        options.markdown.write_text(markdown_table(rows) + "\n", encoding="utf-8")
    missing = [one for one in found if isinstance(one, Missing)]
    if missing:
        print("\n".join(["", "not measured:", *(f"  {one.line}" for one in missing)]))
    return 1 if missing else 0


def measured(theme: str, rows: Iterable[Row | Missing]) -> list[Row | Missing]:
    """A theme's rows, each told as it comes; what fails on the way is named, and what was measured before it stays."""
    print(f"{theme} …", file=sys.stderr, flush=True)
    found: list[Row | Missing] = []
    try:
        for row in rows:
            said = row.why if isinstance(row, Missing) else "  ".join(cells(row))
            print(f"  {said}", file=sys.stderr, flush=True)
            found.append(row)
    except (VariantFailed, VideoJobError) as error:
        print(f"{theme}: {error}", file=sys.stderr)
        found.append(Missing(f"{theme}, the rest of it", str(error)))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios to peers, from interleaved runs.")
    parser.add_argument("--quick", action="store_true", help="short runs, one round: figures to look at, not to quote")
    parser.add_argument("--only", metavar="THEME,…", help=f"some of: {', '.join(ROWS)}")
    parser.add_argument("--clips", metavar="NAME,…", help="some of: small, 1080p")
    parser.add_argument("--rounds", type=int, help="interleaved rounds, two pairs each")
    parser.add_argument(
        "--patience", type=int, default=2, help="how often a run that others disturbed is repeated (default 2)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="writes the table there too")
    options = parser.parse_args()
    unknown = set(options.only.split(",") if options.only else ()) - set(ROWS)
    if unknown:
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
