"""One way to run a job, and what comes of it: when it ends and what it costs. Pure.

Every figure is worked out twice: with the speeds to expect, and with the pessimistic ones, of which nine of ten cases
are better. Deadline and budget are held against the second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.offers import Offer
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan import costs
from videojob.planning.placement.plan.costs import Costs
from videojob.planning.placement.plan.rough import END_S, INTERRUPTIONS_PER_H, Flow, RoughCosts
from videojob.planning.placement.plan.surroundings import Surroundings, WarmServer
from videojob.planning.placement.plan.workload import Workload
from videojob.planning.throughput.lookup import Speeds
from videojob.planning.throughput.rate import ColdStart, Figure

DECODE_MARGIN = 1.1
"""So much more is decoded than the servers take, so that a paid GPU never waits."""

_Hardware = tuple[str, str, bool]
"""All of an instance type that speeds depend on: its family, its GPU's model, and whether pods get a whole GPU."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a job.

    Attributes:
        accelerator: what the model computes on. server: the offer its nodes are.
        replicas: of the server. workers: the offer of nodes that decode beside the server's; None when its own suffice.
        warm: what is joined instead of started; None for nodes of its own.
    """

    accelerator: Accelerator
    server: Offer
    replicas: int
    workers: Offer | None = None
    warm: WarmServer | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a way comes to.

    Attributes:
        way: which. server_nodes, worker_nodes: how many nodes of each. worker_count: concurrent workers.
        frames_per_s: that the whole answers.
        ready_s: until the first answer. ends_s, ends_p90_s: until the results are there.
        costs: by part, as expected. usd_p90: the total, pessimistic.
    """

    way: Way
    server_nodes: int
    worker_nodes: int
    worker_count: int
    frames_per_s: float
    ready_s: float
    ends_s: float
    ends_p90_s: float
    costs: Costs
    usd_p90: Decimal

    @property
    def usd(self) -> Decimal:
        """The total, as expected."""
        return self.costs.total


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and speeds of one outlook: expected, or pessimistic."""

    replica_per_s: float
    decode_vcpu_s: float
    worker_decode_vcpu_s: float
    billed_start_s: float
    start_s: float


class Evaluator:
    """Works ways out for one job; keeps what it asked the speeds.

    Args:
        work: the job.
        around: the cluster.
        speeds: how fast hardware is.
        small: the small prices.
    """

    def __init__(self, work: Workload, around: Surroundings, speeds: Speeds, small: SmallPrices) -> None:
        self._work, self._around, self._speeds, self._small = work, around, speeds, small
        self._paces: dict[tuple[Accelerator, _Hardware, _Hardware], tuple[Pace, Pace] | None] = {}
        self._servers: dict[tuple[Accelerator, _Hardware], tuple[Figure, ColdStart] | None] = {}
        self._decoders: dict[_Hardware, tuple[float, float]] = {}
        self.rough = RoughCosts(work, around, small)

    def outcome(self, way: Way) -> Outcome | None:
        """What a way comes to; None when nothing says how fast its hardware is."""
        paces = self.paces(way)
        if paces is None:
            return None
        expected, pessimistic = (self._run(way, pace) for pace in paces)
        if expected is None or pessimistic is None:
            return None
        return replace(expected, ends_p90_s=pessimistic.ends_s, usd_p90=max(expected.usd, pessimistic.usd))

    @property
    def frames(self) -> int:
        """That go to the model."""
        return self._work.frames

    def spare_millicpu(self, way: Way, nodes: int) -> int:
        """How many vCPUs of the server's nodes, in thousandths, that its workers may use."""
        if way.accelerator == "gpu" and not self._around.workers_share_gpu_nodes:
            return 0
        if way.warm is not None:
            return 0
        needs = self._around.replica[way.accelerator]
        return max(0, nodes * way.server.type.allocatable_millicpu - way.replicas * needs.millicpu)

    def nodes_for(self, way: Way) -> int:
        """Nodes of the server's type that its replicas take."""
        return math.ceil(way.replicas / self.replicas_on(way))

    def replicas_on(self, way: Way) -> int:
        """Replicas that fit on one node; 0 for none."""
        needs, kind = self._around.replica[way.accelerator], way.server.type
        fits = [
            kind.allocatable_millicpu // max(1, needs.millicpu),
            kind.allocatable_memory_mib // max(1, needs.memory_mib),
        ]
        if needs.gpus:
            fits.append(kind.gpus // needs.gpus)
        return min(fits)

    def paces(self, way: Way) -> tuple[Pace, Pace] | None:
        """Expected and pessimistic; None when nothing says how fast its hardware is."""
        server = _hardware(way.server.type)
        key = way.accelerator, server, server if way.workers is None else _hardware(way.workers.type)
        if key not in self._paces:
            self._paces[key] = self._asked(way)
        return self._paces[key]

    def _asked(self, way: Way) -> tuple[Pace, Pace] | None:
        server = way.server.type
        known = self._server_speed(way.accelerator, server)
        if known is None:
            return None
        rate, start = known
        worker = server if way.workers is None else way.workers.type
        found = []
        for is_low in (False, True):
            own, other = (self.decode_vcpu_s(kind)[is_low] for kind in (server, worker))
            start_s = start.high_s if is_low else start.mean_s
            found.append(Pace(_slow(rate, is_low), own, other, max(0.0, start_s - start.node_free_s), start_s))
        return found[0], found[1]

    def _server_speed(self, accelerator: Accelerator, kind: InstanceType) -> tuple[Figure, ColdStart] | None:
        key = accelerator, _hardware(kind)
        if key not in self._servers:
            model = self._work.models[accelerator]
            rate = self._speeds.replica(model, kind)
            self._servers[key] = None if rate is None else (rate, self._speeds.start(model, kind))
        return self._servers[key]

    def earliest_end_s(self, way: Way) -> float:
        """Seconds until the results are there, if the start is as short and the servers are as fast as in one of ten
        cases, and decoding takes no time.
        """
        known = self._server_speed(way.accelerator, way.server.type)
        if known is None:
            return math.inf
        rate, start = known
        ready_s = start.low_s if way.warm is None else way.warm.ready_in_s
        share = 1.0 if way.warm is None else way.warm.share
        return ready_s + self._work.frames / (way.replicas * share * rate.high) + END_S

    def decode_vcpu_s(self, kind: InstanceType) -> tuple[float, float]:
        """Seconds of one vCPU, expected and pessimistic, that decoding takes for each frame that goes to the model."""
        key = _hardware(kind)
        if key not in self._decoders:
            mean = low = 0.0
            for one in self._work.decodings:
                rate = self._speeds.decode(one.kind, kind)
                mean, low = mean + one.frames / rate.mean, low + one.frames / rate.low
            frames = max(1, self._work.frames)
            self._decoders[key] = mean / frames, low / frames
        return self._decoders[key]

    def ready_s(self, way: Way, pace: Pace) -> float:
        """Seconds until the first answer."""
        if way.warm is not None:
            return way.warm.ready_in_s
        return max(pace.start_s, self._around.worker.start_s)

    def rough_usd(self, way: Way) -> float | None:
        """The expected cost in floating point, to find the few ways that are worth working out; None as `outcome`."""
        paces = self.paces(way)
        flow = None if paces is None else self._flow(way, paces[0])
        if paces is None or flow is None:
            return None
        rough, start_s, work_s = self.rough, paces[0].billed_start_s, flow.work_s
        if way.warm is None:
            usd = rough.servers_usd(way.server, way.accelerator, start_s, flow.server_nodes, work_s)
        else:
            usd = rough.joined_usd(way.server, start_s, self.nodes_for(way), work_s)
        if way.workers is not None and flow.worker_nodes:
            usd += rough.workers_usd(way.workers, way.server, flow.worker_nodes, work_s)
        return usd

    def _flow(self, way: Way, pace: Pace) -> Flow | None:
        server_nodes = 0 if way.warm is not None else self.nodes_for(way)
        share = 1.0 if way.warm is None else way.warm.share
        answered_per_s = way.replicas * share * pace.replica_per_s
        spare = self.spare_millicpu(way, server_nodes) / 1000
        own_per_s = spare / pace.decode_vcpu_s if pace.decode_vcpu_s else math.inf
        missing_per_s = max(0.0, DECODE_MARGIN * answered_per_s - own_per_s)
        needed = missing_per_s * pace.worker_decode_vcpu_s
        limit = self.most_worker_vcpus()
        worker_vcpus = min(needed, limit - min(spare, limit))
        worker_nodes, decoded_per_s = 0, min(own_per_s, limit / max(1e-12, pace.decode_vcpu_s))
        if worker_vcpus > 0:
            if way.workers is None:
                return None
            each = way.workers.type.allocatable_millicpu / 1000
            worker_nodes = math.ceil(worker_vcpus / each - 1e-9)
            decoded_per_s += min(worker_vcpus, worker_nodes * each) / pace.worker_decode_vcpu_s
        per_s = min(answered_per_s, decoded_per_s)
        if per_s <= 0:
            return None
        return Flow(server_nodes, worker_nodes, min(limit, spare + worker_vcpus), per_s, self._work.frames / per_s)

    def _run(self, way: Way, pace: Pace) -> Outcome | None:
        flow = self._flow(way, pace)
        if flow is None:
            return None
        ready_s = self.ready_s(way, pace)
        ends_s = ready_s + flow.work_s + END_S
        found = self._costs(way, pace, flow.server_nodes, flow.worker_nodes, flow.work_s)
        count = max(1, math.ceil(flow.decoding_vcpus * 1000 / self._around.worker.millicpu - 1e-9))
        return Outcome(
            way=way,
            server_nodes=flow.server_nodes,
            worker_nodes=flow.worker_nodes,
            worker_count=count,
            frames_per_s=flow.per_s,
            ready_s=ready_s,
            ends_s=ends_s,
            ends_p90_s=ends_s,
            costs=found,
            usd_p90=found.total,
        )

    def most_worker_vcpus(self) -> float:
        """That the job's workers may take together."""
        worker = self._around.worker
        return min(worker.max_workers, max(1, self._work.segments)) * worker.millicpu / 1000

    def _costs(self, way: Way, pace: Pace, server_nodes: int, worker_nodes: int, work_s: float) -> Costs:
        work, around, small = self._work, self._around, self._small
        price = way.server.price
        work_and_end_s = work_s + END_S
        if way.warm is not None:
            # Its nodes run anyway until its idle time is over: the job pays for the time it keeps them longer.
            start = tail = disk = image = Decimal(0)
            busy_nodes = self.nodes_for(way)
        else:
            idle_s = around.replica[way.accelerator].idle_s
            life_s = pace.billed_start_s + work_and_end_s + idle_s
            start = costs.time_usd(price, pace.billed_start_s, server_nodes)
            tail = costs.time_usd(price, idle_s, server_nodes)
            disk = costs.disk_usd(small, around.extras, life_s, server_nodes)
            image = costs.image_usd(small, around.extras, server_nodes)
            busy_nodes = server_nodes
        busy = costs.time_usd(price, work_and_end_s, busy_nodes)
        decoding = crossing = Decimal(0)
        if way.workers is not None and worker_nodes:
            worker_s = around.worker.start_s + work_and_end_s
            decoding = costs.node_usd(way.workers.price, worker_s, worker_nodes)
            disk += costs.disk_usd(small, around.extras, worker_s, worker_nodes)
            if way.workers.zone and way.server.zone and way.workers.zone != way.server.zone:
                crossing = costs.crossing_usd(small, work.frames * work.frame_bytes)
        return Costs(
            start=start,
            work=busy,
            tail=tail,
            decoding=decoding,
            redo=self._redo(way, pace, work_s, busy_nodes),
            disk=disk,
            image=image,
            crossing=crossing,
            writes=costs.writes_usd(small, work.write_units),
            requests=costs.requests_usd(small, work.get_requests),
        )

    def _redo(self, way: Way, pace: Pace, work_s: float, nodes: int) -> Decimal:
        """Each interruption costs half a segment's work and, on nodes of its own, another start."""
        if way.server.capacity_type != "spot":
            return Decimal(0)
        count = INTERRUPTIONS_PER_H * nodes * work_s / 3600
        segment_s = work_s / max(1, self._work.segments)
        return costs.time_usd(way.server.price, count * (segment_s / 2 + pace.billed_start_s))


def _hardware(kind: InstanceType) -> _Hardware:
    return kind.family, kind.gpu, kind.gpus > 0


def _slow(figure: Figure, is_low: bool) -> float:
    return figure.low if is_low else figure.mean
