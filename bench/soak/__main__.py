"""`python -m bench.soak [NAME...]` (`make soak`): large runs, one after the other, and one table of what they gave.

Each run is a process of its own (`bench.soak.child`): its memory is its own, and whatever becomes of it, the rows that
it had measured stay, and so do all others. The exit code is 1 when a run failed or a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.conditions import conditions
from bench.soak.launch import names, run
from bench.soak.table import markdown_table, text_table


def main() -> int:
    """Parses the arguments, measures, prints."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Large runs against their limits.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(known)}; all by default")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="writes the table there too")
    options = parser.parse_args()
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no such runs: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    runs = []
    for name in options.names or known:
        print(f"{name} …", file=sys.stderr, flush=True)
        runs.append(run(name))
    for one in runs:
        if one.failure:
            print(f"\n{one.name} did not come to its end:\n{one.failure}", file=sys.stderr)
    print(f"{conditions()}\n\n{text_table(runs)}")
    if options.markdown:
        options.markdown.write_text(markdown_table(runs) + "\n", encoding="utf-8")
    return 0 if all(one.passed for one in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
