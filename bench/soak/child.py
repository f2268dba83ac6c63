"""One run in this process: `python -m bench.soak.child NAME ROWS.jsonl`, a line there for each row as it comes."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.soak.table import cells

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.insert(0, str(TESTS))  # runs may use what tests use: `support`


def main() -> None:
    """Runs what the arguments name."""
    name, path = sys.argv[1:]
    module = importlib.import_module(f"bench.soak.runs.{name}")
    with Path(path).open("w", encoding="utf-8") as rows:
        for row in module.rows():
            rows.write(json.dumps(asdict(row)) + "\n")
            rows.flush()
            print("  ".join(cells(name, row)), flush=True)


if __name__ == "__main__":
    main()
