"""Inputs that cannot be read now are asked for again, later and later, and then given up, on a laptop as in a planner.

Pauses are those of Kubernetes' Job controller before the next pod of an index (DefaultJobPodFailureBackOff and
MaxJobPodFailureBackOff in pkg/controller/job).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from videojob.errors import VideoJobError
from videojob.ports.clock import Clock
from videojob.worker.steps.dispatch import is_away
from videojob.worker.steps.inputs import FailedInput, InputResolver, Item, once

_FIRST_S, _MOST_S = 10.0, 600.0
Found = TypeVar("Found")


def pauses_s(backoff_limit: int) -> list[float]:
    """Pauses before each further try of what is away, in seconds."""
    return [min(_MOST_S, _FIRST_S * 2.0**number) for number in range(backoff_limit)]


@dataclass(frozen=True, slots=True)
class Rounds(Generic[Found]):
    """Tries all inputs, and those that are away again.

    Attributes:
        resolver: lists again what could not be listed.
        attempt: reads each of some inputs and gives a finding for it, in their order.
        error_of: why an input could not be read, of its finding; None when it could.
        backoff_limit: how often what is away is asked for again.
        pause: waits that many seconds; may raise to end all.
        clock: the time.
        waiting: called with the errors of what is away and the seconds until it is asked for again.
        check: called with how many inputs there are while they are counted; may raise.
        until_s: monotonic time past which no wait may reach; None for never.
    """

    resolver: InputResolver
    attempt: Callable[[Sequence[Item]], Iterable[Found]]
    error_of: Callable[[Found], VideoJobError | None]
    backoff_limit: int
    pause: Callable[[float], None]
    clock: Clock
    waiting: Callable[[Sequence[VideoJobError], float], None]
    check: Callable[[int], None] = lambda _: None
    until_s: float | None = None

    def run(self, items: Sequence[Item]) -> list[Found]:
        """One finding for each input, in the manifest's order; raises whatever `attempt` and `pause` raise.

        The error of what is away to the end says for how long it was asked for.
        """
        began_s = self.clock.monotonic_s()
        found = dict(zip(items, self.attempt(items), strict=True))
        for pause_s in pauses_s(self.backoff_limit):
            errors = [error for item in items if (error := self._away(found[item])) is not None]
            if not errors or self._is_late(pause_s):
                break
            self.waiting(errors, pause_s)
            self.pause(pause_s)
            items = once(chain.from_iterable(self._expanded(item) for item in items), self.check)
            again = [item for item in items if item not in found or self._away(found[item]) is not None]
            found |= zip(again, self.attempt(again), strict=True)
        waited_s = self.clock.monotonic_s() - began_s
        for item in items:
            self._give_up(found[item], waited_s)
        return [found[item] for item in items]

    def _away(self, finding: Found) -> VideoJobError | None:
        error = self.error_of(finding)
        return error if is_away(error) else None

    def _is_late(self, pause_s: float) -> bool:
        return self.until_s is not None and self.clock.monotonic_s() + pause_s >= self.until_s

    def _expanded(self, item: Item) -> Iterable[Item]:
        """The same, or what a prefix holds that could not be listed before."""
        if isinstance(item, FailedInput) and item.source is not None and is_away(item.error):
            return self.resolver.expand([item.source])
        return [item]

    def _give_up(self, finding: Found, waited_s: float) -> None:
        error = self._away(finding)
        if error is not None:
            minutes = max(1, round(waited_s / 60))
            error.message = f"{error.message}; it was retried for {minutes} min"
