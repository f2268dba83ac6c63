"""A server that is paid while a job commits nothing: for how long that may be, and what is done about it. Pure.

What counts is time in which the job asks for a server, and a pod of that server has a node: somebody pays it. Waiting
for capacity, for Kueue, for a resume or for the results table counts nothing, nor does time without
a reconcile. After one bound of it workers are suspended and the server is released; after another bound of calm it is
tried again, since the problem may have passed. Three tries without a commit fail the job. A commit or a resume starts
afresh.

All that is remembered stands in the VideoJob's status: it changes when counting begins or ends, and else every few
minutes, so that writes stay rare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from videojob.planning.state.stall import Stall

LEAST_BOUND_S = 1800.0
_SEGMENTS = 10
_STARTS = 2
TRIES = 3
"""Bounds of paid time without a commit, after which a job fails."""
NOTE_EVERY_S = 300.0
"""A job that may stall is reconciled, and the time that passed is noted, at least so often."""
GAP_S = 2 * NOTE_EVERY_S
"""Most that counts between two notes: longer ago nobody looked, so that nobody knows."""


def bound_s(segment_s: float, start_s: float) -> float:
    """How long a paid server may see no commit.

    Args:
        segment_s: seconds that a worker takes for the job's longest segment.
        start_s: seconds that the server takes to start.
    """
    return max(LEAST_BOUND_S, _SEGMENTS * segment_s, _STARTS * start_s)


def counted(before: Stall, *, progressed: bool, paid: bool, now_s: float) -> Stall:
    """What is known at this reconcile.

    Args:
        before: as noted.
        progressed: something was committed since then.
        paid: the job asks for its server, and that has a node.
        now_s: seconds since the epoch.
    """
    as_of_s = now_s if paid else None
    if progressed:
        return Stall(as_of_s=as_of_s)
    if before.held_since_s is not None or before.as_of_s is None:
        return replace(before, as_of_s=as_of_s)
    passed_s = min(GAP_S, max(0.0, now_s - before.as_of_s))
    return replace(before, counted_s=before.counted_s + int(passed_s), as_of_s=as_of_s)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What follows from paid time without a commit.

    Attributes:
        now: what is known. noted: what the status shall have.
        is_due: this try has lasted long enough. left_s: seconds of paid time that it still has.
    """

    now: Stall
    noted: Stall
    is_due: bool
    left_s: float


def reckon(before: Stall, bound: float, *, progressed: bool, paid: bool, now_s: float) -> Reckoning:
    """Of workers that are at it, or try again; the other arguments are those of `counted`.

    The status keeps what it has as long as little has changed. A commit is written anyway.
    """
    going = before if before.held_since_s is None else replace(before, held_since_s=None, as_of_s=None)
    now = counted(going, progressed=progressed, paid=paid, now_s=now_s)
    little = not progressed and going is before and 0 <= now.counted_s - before.counted_s < NOTE_EVERY_S
    is_continued = before.as_of_s is not None and now.as_of_s is not None
    due_s = (now.tries + 1) * bound
    noted = before if little and is_continued else now
    return Reckoning(now, noted, now.counted_s >= due_s, max(1.0, due_s - now.counted_s))


def held(now: Stall, cause: str, now_s: float) -> Stall:
    """Workers are held, for want of a commit."""
    return replace(now, as_of_s=None, held_since_s=now_s, tries=now.tries + 1, cause=cause)


def pause_left_s(before: Stall, bound: float, now_s: float) -> float:
    """How long workers are held still; 0 when they are not, or shall try again."""
    if before.held_since_s is None:
        return 0.0
    # A clock that was set back must not hold them for longer.
    return max(0.0, bound - max(0.0, now_s - before.held_since_s))
