"""What of a server each of its jobs may use, and so how many workers it has: more would only wait for answers. Pure.

Max-min fairness: nobody gets more than it needs, and what is left is divided equally among those that need more. Who
asks for little gets all of it, however many ask for much.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

_HALF = 2
"""Fewer workers than there are stop some in mid-segment: that is done for no less than half of them."""
_WORTH = 4
"""And only when the rest of the job takes so many times what a stopped worker costs, its start and a segment."""


def share_of(capacity: Fraction, own: Fraction, others: Sequence[Fraction]) -> Fraction:
    """What a job gets of a server.

    Args:
        capacity: of all its replicas, in frames per second.
        own: what the job could use.
        others: what every other job of that server could use.
    """
    left, waiting = capacity, len(others) + 1
    for need in sorted((*others, own)):
        equal = left / waiting
        if need >= equal:
            return min(own, equal)  # from here on all get the same
        if need == own:
            return own
        left -= need
        waiting -= 1
    return own


def workers_now(present: int, desired: int, *, rest_s: float, restart_s: float) -> int:
    """How many workers a running Job shall have.

    More come at once. Of fewer Kubernetes stops some at whatever segment they are: they end it within the grace period
    or drop it, and another pod goes on with their index. So a Job has fewer only when that is worth it.

    Args:
        present: that it may have now.
        desired: by its share.
        rest_s: seconds that the job still takes with its share.
        restart_s: what a stopped worker costs: the start of a pod, and a segment.
    """
    if desired >= present:
        return desired
    return desired if desired * _HALF <= present and rest_s >= _WORTH * restart_s else present
