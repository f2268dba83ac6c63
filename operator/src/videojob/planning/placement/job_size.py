"""How large a job on a cluster may be: what the fold of its results was measured with (`make soak`, docs/design/017).

The planner asks before it stores a plan: whatever is let in can be folded in the memory that a fold has. A job on one
machine is folded in that machine's memory, which nobody else needs, and has no such limits.
"""

from __future__ import annotations

from videojob.errors import JobTooLarge

MOST_SEGMENTS = 100_000
"""Of one job: the largest that the fold was measured with, at ten appearances in each."""

MOST_VIDEOS = 10_000
"""Of one job, those that cannot be used included: each takes a part of the summary whatever is seen in it. The most
that were measured, in a job of 20,000 segments (`tests/functional/test_large_jobs.py`)."""


def check_videos(count: int) -> None:
    """Raises JobTooLarge for more videos than a job may have; asked while they are counted."""
    if count > MOST_VIDEOS:
        raise JobTooLarge(f"the job has more than {MOST_VIDEOS} videos, the most that one summary can hold")


def check_segments(count: int, segment_s: int) -> None:
    """Raises JobTooLarge for more segments than a job may have, which are `segment_s` long."""
    if count > MOST_SEGMENTS:
        raise JobTooLarge(
            f"the job has {count} segments of about {segment_s} s, one summary can hold at most {MOST_SEGMENTS}",
            hint="Divide its inputs among several jobs, or raise compute.segmentSeconds.",
        )
