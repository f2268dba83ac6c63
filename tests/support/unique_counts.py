"""How many different things each class showed in a video, from the tracks of all its segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from videojob.results.aggregate.segment_results import TrackSpan
from videojob.results.aggregate.tracks import UniqueCounter


def unique_counts(segments: Iterable[Sequence[TrackSpan]], memory_ms: int) -> dict[int, int]:
    """Count by class_id of segments' tracks, by ascending segment index."""
    counter = UniqueCounter(memory_ms)
    for tracks in segments:
        counter.add(tracks)
    return counter.counts
