"""How many replicas a server needs, from what all jobs ask of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from videojob.planning.installation import ServerVariant
from videojob.planning.state.desired import ServerDemand
from videojob.planning.state.observed import ServerObserved


@dataclass(frozen=True, slots=True)
class ServerDesired:
    """What a Deployment should be.

    Attributes:
        replicas: of it.
        idle_since_s: since when it has had more replicas than its jobs need, or no job at all, to be noted on it; None
            while it has not.
        busy: jobs are at it.
        requeue_s: when to reconcile again without an event.
        remove: nobody has asked for it for so long that it need not stay.
    """

    replicas: int
    idle_since_s: float | None
    busy: bool
    requeue_s: float | None = None
    remove: bool = False


REMOVE_S = 3600.0
"""A server without replicas and jobs goes after this. It costs nothing, and two requests make it again; but each
combination of hardware and constraints that a job ever asked for would leave one, and all are listed in each resync.
Kept for so long, it is still there for a job that is tried again and for the next one of a series."""


def size_server(
    variant: ServerVariant, demands: Sequence[ServerDemand], seen: ServerObserved | None, *, idle_s: int, now_s: float
) -> ServerDesired:
    """The replicas for all demands.

    Up at once, from 0 to 1 with the first demand; down only after the surplus has lasted for `idle_s`, about as long as
    it would cost to start it again (the ski-rental rule: never more than twice the cost of who knows the future). That
    holds for the last replica as for the others; while a job is at it, one stays. A replica that goes ends its running
    requests first, and its clients ask the others again.
    """
    needed = replicas_needed(variant, demands)
    replicas = 0 if seen is None else seen.replicas
    busy = any(demand.busy for demand in demands)
    if needed == replicas == 0:
        return size_unasked(seen, now_s)
    if needed >= replicas:
        return ServerDesired(needed, None, busy)
    since_s = now_s if seen is None or seen.idle_since_s is None else min(now_s, seen.idle_since_s)
    left_s = since_s + idle_s - now_s
    if left_s <= 0 and needed == 0:
        return ServerDesired(0, now_s, busy, requeue_s=REMOVE_S)
    if left_s <= 0:
        return ServerDesired(needed, None, busy)
    return ServerDesired(replicas, since_s, busy, requeue_s=left_s)


def size_unasked(seen: ServerObserved | None, now_s: float) -> ServerDesired:
    """No replicas, at once, for a server that no job may have; and none of it at all after a while."""
    if seen is None:
        return ServerDesired(0, None, busy=False)
    is_new = seen.replicas > 0 or seen.idle_since_s is None
    since_s = now_s if is_new or seen.idle_since_s is None else min(now_s, seen.idle_since_s)
    left_s = since_s + REMOVE_S - now_s
    return ServerDesired(0, since_s, busy=False, requeue_s=left_s if left_s > 0 else None, remove=left_s <= 0)


def replicas_needed(variant: ServerVariant, demands: Sequence[ServerDemand]) -> int:
    """Replicas that answer as fast as all jobs together ask, each within its own limit; 0 without demand."""
    if not demands:
        return 0
    needed = sum((_of_one(demand, variant) for demand in demands), Fraction(0))
    return min(max(1, math.ceil(needed)), variant.max_replicas)


def _of_one(demand: ServerDemand, variant: ServerVariant) -> Fraction:
    """Replicas for one job's demand, within its limit, whole or not."""
    needed = demand.frames_per_second / (demand.replica_frames_per_s or variant.frames_per_second)
    return needed if demand.max_replicas is None else min(needed, Fraction(demand.max_replicas))
