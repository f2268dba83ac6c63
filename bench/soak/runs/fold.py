"""The fold of the largest jobs that may be: its own process, asked by the controller's own queue, over made-up tables.

The table is a process of its own (`support.large_table`), which tells afterwards what it was given. Resident memory is
the fold's whole process, libraries included, as the kernel has its peak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.soak.table import Row
from support.large_folds import folded_large
from videojob.controller.jobs.folds import FOLD_BYTES
from videojob.planning.placement.job_size import MOST_SEGMENTS, MOST_VIDEOS

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class _Case:
    """One job: its name and its size; `appearances` of each segment."""

    name: str
    videos: int
    segments: int
    appearances: int


_CASES = (
    _Case("60,000 segments of 20 videos, 10 appearances in each", 20, 60_000, 10),
    _Case(f"{MOST_SEGMENTS:,} segments of 40 videos, 10 appearances in each", 40, MOST_SEGMENTS, 10),
    _Case(
        f"{MOST_SEGMENTS:,} segments of {MOST_VIDEOS:,} videos, 10 appearances in each", MOST_VIDEOS, MOST_SEGMENTS, 10
    ),
)


def rows() -> Iterator[Row]:
    """Memory, time and bytes of each case."""
    for case in _CASES:
        found = folded_large(case.videos, case.segments, case.appearances)
        reported = found.told
        yield Row(
            f"peak memory, {case.name}",
            found.peak_bytes / _MIB,
            "MiB",
            limit=FOLD_BYTES / _MIB,
            note=f"resident, the whole process; summary sha256 {reported.summary_sha256[:12]}",
        )
        yield Row(f"time, {case.name}", found.took_s, "s", note="most of it the made-up table's")
        yield Row(
            f"summary, {case.name}", reported.summary_bytes / _MIB, "MiB", note=f"of JSON, in {reported.parts} parts"
        )
        yield Row(
            f"commits read, {case.name}", reported.read_bytes / _MIB, "MiB", note=f"in {reported.queries} queries"
        )
