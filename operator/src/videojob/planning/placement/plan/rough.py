"""What a way costs, in floating point: only to tell which ways are worth working out to the cent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from videojob.planning.cost.offers import Offer
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan import costs
from videojob.planning.placement.plan.surroundings import Surroundings
from videojob.planning.placement.plan.workload import Workload

END_S = 15.0
"""The last segments and the summary."""
INTERRUPTIONS_PER_H = 0.05
"""Of one spot node. A band of 15 to 20% a month is far less; single traces show up to 0.5."""
_LEAST_S = 60.0
"""EC2 bills at least a minute of each node."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How frames pass through a way.

    Attributes:
        server_nodes, worker_nodes: how many of each. decoding_vcpus: that workers use.
        per_s: frames that the whole answers. work_s: until all are.
    """

    server_nodes: int
    worker_nodes: int
    decoding_vcpus: float
    per_s: float
    work_s: float


class RoughCosts:
    """`costs`, summed in floating point for one job.

    Args:
        work: the job.
        around: the cluster.
        small: the small prices.
    """

    def __init__(self, work: Workload, around: Surroundings, small: SmallPrices) -> None:
        self._around, self._segments = around, max(1, work.segments)
        self._disk_usd_per_s = float(costs.disk_usd(small, around.extras, 1.0, 1))
        self._image_usd = float(costs.image_usd(small, around.extras, 1))
        self._crossing_usd = float(costs.crossing_usd(small, work.frames * work.frame_bytes))
        fixed = costs.writes_usd(small, work.write_units) + costs.requests_usd(small, work.get_requests)
        self._fixed_usd = float(fixed)
        self._usd_per_s: dict[Decimal, float] = {}

    def servers_usd(self, server: Offer, accelerator: Accelerator, start_s: float, nodes: int, work_s: float) -> float:
        """Everything but workers' nodes, for servers on nodes of their own.

        Args:
            server: offer of the nodes.
            accelerator: what the model computes on.
            start_s: seconds of a start that are billed.
            nodes: how many.
            work_s: until all frames are answered.
        """
        usd_per_s = self.usd_per_s(server)
        life_s = start_s + work_s + END_S + self._around.replica[accelerator].idle_s
        usd = nodes * (life_s * (usd_per_s + self._disk_usd_per_s) + self._image_usd) + self._fixed_usd
        return usd + self._redo_usd(server, start_s, nodes, work_s)

    def joined_usd(self, server: Offer, start_s: float, nodes: int, work_s: float) -> float:
        """The same for servers that are there already."""
        usd = nodes * (work_s + END_S) * self.usd_per_s(server) + self._fixed_usd
        return usd + self._redo_usd(server, start_s, nodes, work_s)

    def workers_usd(self, workers: Offer, server: Offer, nodes: int, work_s: float) -> float:
        """Nodes of workers, and frames that leave their zone."""
        seconds = self.worker_s(work_s)
        usd = nodes * (max(_LEAST_S, seconds) * self.usd_per_s(workers) + seconds * self._disk_usd_per_s)
        crosses = workers.zone and server.zone and workers.zone != server.zone
        return usd + self._crossing_usd if crosses else usd

    def worker_s(self, work_s: float) -> float:
        """How long a worker's node is there."""
        return self._around.worker.start_s + work_s + END_S

    def usd_per_s(self, offer: Offer) -> float:
        """Of one node."""
        per_h = offer.price.usd_per_h
        if per_h not in self._usd_per_s:
            self._usd_per_s[per_h] = float(per_h) / 3600
        return self._usd_per_s[per_h]

    def _redo_usd(self, server: Offer, start_s: float, nodes: int, work_s: float) -> float:
        if server.capacity_type != "spot":
            return 0.0
        count = INTERRUPTIONS_PER_H * nodes * work_s / 3600
        return count * (work_s / self._segments / 2 + start_s) * self.usd_per_s(server)
