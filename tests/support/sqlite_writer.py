"""A process that commits segments to a SQLite file and names each one once it was acknowledged.

Usage: python sqlite_writer.py FILE SEGMENTS
"""

from __future__ import annotations

import sys
from pathlib import Path

from videojob.adapters.sqlite.sink import SqliteSink
from videojob.results.aggregate.segment_results import RunRecord

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.results import planned, segment_commit, segment_result


def main() -> None:
    """Begins and commits; prints the index of each stored segment."""
    sink = SqliteSink(Path(sys.argv[1]))
    count = int(sys.argv[2])
    run = sink.begin(RunRecord("uid-1", "default", "faces", "plan-a", count))
    for segment in planned(count):
        sink.commit(run, segment_commit(segment_result(segment)))
        sys.stdout.write(f"{segment.index}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
