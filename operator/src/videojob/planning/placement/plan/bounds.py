"""The least that a way can cost and the soonest that it can end, whatever decodes beside it. Pure.

Most ways are far from the cheapest: these two, in floating point, leave them out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from videojob.planning.cost.offers import Offer
from videojob.planning.placement.plan.option import DECODE_MARGIN, Evaluator, Pace, Way
from videojob.planning.placement.plan.rough import END_S

_ROUNDING = 1 - 1e-9


class Bounds:
    """For one job.

    Args:
        evaluator: works its ways out.
        decoders: offers that nodes of workers may be, by zone of the servers that they feed.
    """

    def __init__(self, evaluator: Evaluator, decoders: dict[str, Sequence[Offer]]) -> None:
        self._evaluator = evaluator
        self._limit = evaluator.most_worker_vcpus()
        self._fronts = {zone: self._front(offers) for zone, offers in decoders.items()}
        self._fastest = {
            zone: (min((one[1] for one in front), default=0.0), min((one[2] for one in front), default=0.0))
            for zone, front in self._fronts.items()
        }

    def least_usd(self, way: Way) -> float:
        """Less than any such way costs, without workers' nodes or with the best; infinite when none runs."""
        found = self._evaluator.paces(way)
        if found is None:
            return math.inf
        pace, rough = found[0], self._evaluator.rough
        nodes = self._evaluator.nodes_for(way)
        front = self._fronts[way.server.zone]
        missing_per_s, room, work_s = self._flow(way, pace, nodes, self._fastest[way.server.zone][0])
        if work_s == math.inf or (missing_per_s and room and not front):
            return math.inf
        usd = rough.servers_usd(way.server, way.accelerator, pace.billed_start_s, nodes, work_s)
        if missing_per_s and room:
            vcpu_usd = min(usd_per_s * min(missing_per_s * vcpu_s, room) for usd_per_s, vcpu_s, _ in front)
            usd += vcpu_usd * rough.worker_s(work_s)
        return usd * _ROUNDING

    def soonest_p90_s(self, way: Way) -> float:
        """No such way ends earlier in nine of ten cases."""
        found = self._evaluator.paces(way)
        if found is None:
            return math.inf
        pace = found[1]
        fastest = self._fastest[way.server.zone][1]
        _, _, work_s = self._flow(way, pace, self._evaluator.nodes_for(way), fastest)
        return (self._evaluator.ready_s(way, pace) + work_s + END_S) * _ROUNDING

    def _flow(self, way: Way, pace: Pace, nodes: int, vcpu_s: float) -> tuple[float, float, float]:
        """Frames per second that the servers' own nodes leave undecoded, vCPUs that may decode them, seconds of work,
        when each of those vCPUs takes so many seconds for a frame.
        """
        answered_per_s = way.replicas * pace.replica_per_s
        spare = self._evaluator.spare_millicpu(way, nodes) / 1000
        own_per_s = spare / pace.decode_vcpu_s if pace.decode_vcpu_s else math.inf
        missing_per_s = max(0.0, DECODE_MARGIN * answered_per_s - own_per_s)
        room = max(0.0, self._limit - spare)
        decoded_per_s = min(own_per_s, self._limit / max(1e-12, pace.decode_vcpu_s))
        if missing_per_s and room:
            decoded_per_s += min(missing_per_s, room / vcpu_s) if vcpu_s else missing_per_s
        per_s = min(answered_per_s, decoded_per_s)
        return missing_per_s, room, self._evaluator.frames / per_s if per_s > 0 else math.inf

    def _front(self, decoders: Iterable[Offer]) -> list[tuple[float, float, float]]:
        """(US dollars of a vCPU's second, its seconds for a frame, the same pessimistic): none worse in all three."""
        found: set[tuple[float, float, float]] = set()
        for one in decoders:
            usd_per_s = self._evaluator.rough.usd_per_s(one) * 1000 / one.type.allocatable_millicpu
            found.add((usd_per_s, *self._evaluator.decode_vcpu_s(one.type)))
        front: list[tuple[float, float, float]] = []
        for point in sorted(found):
            if not any(other[1] <= point[1] and other[2] <= point[2] for other in front):
                front.append(point)
        return front
