"""Adds up where a segment's time goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from videojob.ports.clock import Clock
from videojob.results.aggregate.segment_results import SegmentTimings

Item = TypeVar("Item")


class Stopwatch:
    """Seconds by name, from its making on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._spent_s: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Adds the time of the block to `name`."""
        started_s = self._clock.monotonic_s()
        try:
            yield
        finally:
            self._spent_s[name] += self._clock.monotonic_s() - started_s

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items, with the time that each was waited for added to `name`."""
        iterator = iter(items)
        while True:
            with self.lap(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def timings(self) -> SegmentTimings:
        """What was spent so far; decode and memory are the decoder's to say."""
        return SegmentTimings(
            wall_s=self._clock.monotonic_s() - self._started_s,
            prepare_s=self._spent_s["prepare"],
            transport_s=self._spent_s["transport"],
            boxes_s=self._spent_s["boxes"],
            aggregate_s=self._spent_s["aggregate"],
            wait_s=self._spent_s["wait"],
            decode_wait_s=self._spent_s["decode_wait"],
        )
