"""How many replicas a server needs, from what all jobs ask of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from videojob.planning.catalogue import ServerVariant
from videojob.planning.desired import ServerDemand
from videojob.planning.observed import ServerSeen


@dataclass(frozen=True, slots=True)
class ServerWanted:
    """What a Deployment should be.

    Attributes:
        replicas: of it.
        idle_since_s: since when no job needs it, to be noted on it; None while one does.
        busy: jobs are at it: its nodes should not be taken away for tidiness.
        recheck_s: when to look again though nothing happened.
    """

    replicas: int
    idle_since_s: float | None
    busy: bool
    recheck_s: float | None = None


def size_server(
    variant: ServerVariant, demands: Sequence[ServerDemand], seen: ServerSeen | None, *, idle_s: int, now_s: float
) -> ServerWanted:
    """The replicas for all demands.

    From 0 to 1 on the first demand, up by need, down only when no job is at it: taking a busy replica away would make
    its jobs repeat what it was working on. Without demand a server stays for `idle_s`, about as long as it would cost
    to start it again (the ski-rental rule: never more than twice the cost of who knows the future), and then goes.
    """
    replicas = 0 if seen is None else seen.replicas
    if not demands:
        return _idle(replicas, seen, idle_s, now_s)
    speed = sum(demand.frames_per_second for demand in demands)
    needed = max(1, math.ceil(speed / variant.frames_per_second))
    bounds = [demand.max_replicas for demand in demands]
    if all(bound is not None for bound in bounds):
        needed = min(needed, max(1, sum(bound for bound in bounds if bound is not None)))
    needed = min(needed, variant.max_replicas)
    busy = any(demand.busy for demand in demands)
    return ServerWanted(max(needed, replicas) if busy else needed, None, busy)


def _idle(replicas: int, seen: ServerSeen | None, idle_s: int, now_s: float) -> ServerWanted:
    if replicas == 0:
        return ServerWanted(0, None, busy=False)
    since_s = now_s if seen is None or seen.idle_since_s is None else seen.idle_since_s
    left_s = since_s + idle_s - now_s
    if left_s <= 0:
        return ServerWanted(0, None, busy=False)
    return ServerWanted(replicas, since_s, busy=False, recheck_s=left_s)
