"""What a plan has to respect besides prices and speeds: the job's own limits, and what the cluster allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from videojob.planning.cost.instance_types import Arch
from videojob.planning.cost.offers import Offer
from videojob.planning.installation import Accelerator, CapacityType
from videojob.planning.placement.pools import Pool

Route = Literal["gateway", "nat"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the job's own spec allows.

    Attributes:
        accelerators: what the model may compute on.
        capacity_types: of instances; empty for both.
        instance_types: of servers; empty for any.
        gpus, cpus, workers: most at one time; None for no limit.
        deadline_s: seconds from now until the results must be there; None without a deadline.
        max_usd: most that the job may cost; None without a budget.
    """

    accelerators: tuple[Accelerator, ...] = ("cpu", "gpu")
    capacity_types: tuple[CapacityType, ...] = ()
    instance_types: tuple[str, ...] = ()
    gpus: int | None = None
    cpus: int | None = None
    workers: int | None = None
    deadline_s: float | None = None
    max_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ReplicaNeeds:
    """What one replica of the job's model takes on one accelerator.

    Attributes:
        millicpu: requested, in thousandths of a vCPU. memory_mib: the same of memory.
        gpus: of one replica. gpu_memory_mib: least that its GPU must have; 0 when nobody says.
        max_replicas: most of them. archs: of machines that its image runs on.
        families: instance families that the node provisioner may launch for it; empty for any.
        gpu_models: that a server can be bound to; empty for any.
        pools: NodePools that its pods may use; None where they are not known, and so do not bind.
        idle_s: seconds that a server without work is kept, and its node after it.
    """

    millicpu: int
    memory_mib: int
    gpus: int = 0
    gpu_memory_mib: int = 0
    max_replicas: int = 10
    archs: tuple[Arch, ...] = ("amd64",)
    families: tuple[str, ...] = ()
    gpu_models: tuple[str, ...] = ()
    idle_s: float = 330.0
    pools: tuple[Pool, ...] | None = None


@dataclass(frozen=True, slots=True)
class WorkerNeeds:
    """What one worker takes: `millicpu` and `memory_mib` requested; `max_workers` at most of one job.

    `families`, `archs`, `pools` as for a replica.
    """

    millicpu: int = 1000
    memory_mib: int = 1024
    max_workers: int = 200
    archs: tuple[Arch, ...] = ("amd64", "arm64")
    families: tuple[str, ...] = ()
    start_s: float = 60.0
    pools: tuple[Pool, ...] | None = None


@dataclass(frozen=True, slots=True)
class NodeExtras:
    """What each node costs besides its instance.

    Attributes:
        disk_gib, disk_iops, disk_mibps: of the volume it starts with; IOPS above 3,000 and MiB/s above 125 cost extra.
        has_public_ip: whether it has an IPv4 address of its own.
        image_gb: of the server's image, compressed. image_route: how it comes; through a NAT gateway it is paid for.
    """

    disk_gib: int = 60
    disk_iops: int = 3000
    disk_mibps: int = 125
    has_public_ip: bool = False
    image_gb: float = 8.5
    image_route: Route = "gateway"


@dataclass(frozen=True, slots=True)
class WarmServer:
    """Replicas of the job's model that are there already, or that another job has asked for.

    Attributes:
        instance_type, capacity_type, zone: of their nodes.
        replicas: how many. ready_in_s: until they answer; 0 when they do.
        share: of what they answer that is left for one more job.
    """

    instance_type: str
    capacity_type: CapacityType
    zone: str
    replicas: int
    ready_in_s: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The cluster and its account.

    Attributes:
        replica: by accelerator; one that is missing is not offered.
        worker: see `WorkerNeeds`. extras: see `NodeExtras`.
        workers_share_gpu_nodes: whether workers may use the spare vCPUs of a server's node.
        quota_vcpus: of running instances by (class, capacity type), "g" for the families G and VT, "p" for P, else
            "standard"; one that is missing could not be read and binds nothing.
        pool_gpus, pool_cpus: that NodePools still allow; None for no limit.
        warm: servers of this model that can be joined.
        zone: where the job's servers and workers must be, once the first node is there; "" before.
        auto_mode: whether EKS Auto Mode provisions the nodes, at its fee.
    """

    replica: Mapping[Accelerator, ReplicaNeeds]
    worker: WorkerNeeds = WorkerNeeds()
    extras: NodeExtras = NodeExtras()
    workers_share_gpu_nodes: bool = False
    quota_vcpus: Mapping[tuple[str, CapacityType], int] = field(default_factory=dict)
    pool_gpus: int | None = None
    pool_cpus: int | None = None
    warm: tuple[WarmServer, ...] = ()
    zone: str = ""
    auto_mode: bool = False


def quota_class(family: str) -> str:
    """Which of the account's quotas a family counts against."""
    if family.startswith(("g", "vt")):
        return "g"
    if family.startswith("p"):
        return "p"
    return "inf" if family.startswith("inf") else "standard"


def nodes_left(pools: Sequence[Pool] | None, offer: Offer) -> int | None:
    """How many nodes of an offer the NodePools may still launch: 0 when none of them allows it, None for any number."""
    if pools is None:
        return None
    most = 0
    for pool in pools:
        if pool.allows(offer):
            room = pool.room_for(offer.type)
            if room is None:
                return None
            most = max(most, room)
    return most
