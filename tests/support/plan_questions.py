"""Questions for the plan: a market of offers, speeds that are known, and jobs. Everything is made up and round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.price import Precision, Price, PriceSource
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.installation import Accelerator, CapacityType
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import Allowed, ReplicaNeeds, Surroundings, WorkerNeeds
from videojob.planning.placement.plan.workload import Decoding, Workload
from videojob.planning.throughput.lookup import ModelOnHardware, VideoKind
from videojob.planning.throughput.rate import ColdStart, Figure, Origin

MODELS: dict[Accelerator, ModelOnHardware] = {
    "cpu": ModelOnHardware("detector", "sha256:0", 640 * 640, "onnxruntime", replica_cpus=3),
    "gpu": ModelOnHardware("detector", "sha256:0", 640 * 640, "tensorrt"),
}
H264 = VideoKind("h264", 1920 * 1080)
GPU_SPEEDS = {"t4": 400.0, "l4": 680.0, "l40s": 1800.0}
CPU_SPEEDS = {"c7i": 11.0, "m5": 5.5, "c7g": 8.25}
"""Frames per second of one vCPU."""


def figure(mean: float, spread: float = 0.1) -> Figure:
    """A figure that is off by at most that share in eight of ten cases."""
    return Figure(mean, mean * (1 - spread), mean * (1 + spread), Origin.PUBLISHED)


@dataclass(frozen=True)
class KnownSpeeds:
    """Implements `Speeds`: by GPU, and by vCPUs on CPUs.

    Attributes:
        gpus, cpus: frames per second of a GPU, and of one vCPU. decode_per_s: of one vCPU.
        start_s: of every server. spread: of all figures.
    """

    gpus: Mapping[str, float] = field(default_factory=lambda: GPU_SPEEDS)
    cpus: Mapping[str, float] = field(default_factory=lambda: CPU_SPEEDS)
    decode_per_s: float = 105.0
    start_s: float = 150.0
    spread: float = 0.1

    def replica(self, model: ModelOnHardware, hardware: InstanceType) -> Figure | None:
        if not model.replica_cpus:
            rate = self.gpus.get(hardware.gpu)
        else:
            rate = self.cpus.get(hardware.family)
            rate = None if rate is None else rate * model.replica_cpus
        return None if rate is None else figure(rate, self.spread)

    def decode(self, video: VideoKind, hardware: InstanceType) -> Figure:
        del video, hardware
        return figure(self.decode_per_s, self.spread)

    def start(self, model: ModelOnHardware, hardware: InstanceType) -> ColdStart:
        del hardware
        share = 0.4 if model.replica_cpus else 1.0
        part = figure(share * self.start_s / 3, self.spread)
        return ColdStart(node=part, image=part, model=part)


SMALL = SmallPrices(
    region="us-east-1",
    as_of_s=0,
    control_plane_usd_per_h=Decimal("0.10"),
    auto_mode_share_of_on_demand=Decimal("0.12"),
    disk_usd_per_gib_month=Decimal("0.08"),
    disk_usd_per_iops_month=Decimal("0.005"),
    disk_usd_per_mibps_month=Decimal("0.04"),
    nat_usd_per_gb=Decimal("0.045"),
    zone_crossing_usd_per_gb=Decimal("0.02"),
    public_ipv4_usd_per_h=Decimal("0.005"),
    s3_get_usd_per_1000=Decimal("0.0004"),
    s3_put_usd_per_1000=Decimal("0.005"),
    dynamodb_write_usd_per_million=Decimal("0.625"),
    lambda_x86_usd_per_gb_s=Decimal("0.0000166667"),
    lambda_arm_usd_per_gb_s=Decimal("0.0000133334"),
    lambda_request_usd_per_million=Decimal("0.20"),
    sagemaker_share_of_on_demand=Decimal("1.40"),
)


def instance_type(name: str, vcpus: int, gpu: str = "", gpus: int = 0, arch: str = "amd64") -> InstanceType:
    """A type with 4 GiB for each vCPU, of which pods get nearly all."""
    kind = InstanceType(name, "amd64", vcpus, vcpus * 4096, vcpus * 1000 - 80, vcpus * 3600, gpus, gpu)
    kind = replace(kind, gpu_memory_mib=16384 if gpu else 0)
    return replace(kind, arch="arm64") if arch == "arm64" else kind


TYPES = {
    one.name: one
    for one in (
        instance_type("c7i.large", 2),
        instance_type("c7i.xlarge", 4),
        instance_type("c7i.4xlarge", 16),
        instance_type("m5.xlarge", 4),
        instance_type("c7g.large", 2, arch="arm64"),
        instance_type("c7g.xlarge", 4, arch="arm64"),
        instance_type("g4dn.xlarge", 4, "t4", 1),
        instance_type("g4dn.2xlarge", 8, "t4", 1),
        instance_type("g4dn.12xlarge", 48, "t4", 4),
        instance_type("g6.xlarge", 4, "l4", 1),
        instance_type("g6e.xlarge", 4, "l40s", 1),
    )
}
ON_DEMAND = {
    "c7i.large": "0.08925",
    "c7i.xlarge": "0.1785",
    "c7i.4xlarge": "0.714",
    "m5.xlarge": "0.192",
    "c7g.large": "0.0725",
    "c7g.xlarge": "0.145",
    "g4dn.xlarge": "0.526",
    "g4dn.2xlarge": "0.752",
    "g4dn.12xlarge": "3.912",
    "g6.xlarge": "0.8048",
    "g6e.xlarge": "1.861",
}


def price(usd: str | Decimal) -> Price:
    """A price of the static table."""
    return Price(Decimal(usd), PriceSource.STATIC, 0, Precision.THIS_ZONE)


def offer(name: str, capacity_type: CapacityType = "on-demand", zone: str = "", usd: str | None = None) -> Offer:
    """One offer; spot costs 0.4 of on demand where nothing is said."""
    base = Decimal(ON_DEMAND[name] if usd is None else usd)
    share = Decimal("0.4") if capacity_type == "spot" and usd is None else Decimal(1)
    return Offer(TYPES[name], zone, capacity_type, price(base * share))


def market(zones: tuple[str, ...] = ("",)) -> OfferTable:
    """Every type, on demand and spot, in every zone."""
    both: tuple[CapacityType, ...] = ("on-demand", "spot")
    offers = tuple(offer(name, kind, zone) for name in TYPES for kind in both for zone in zones)
    return OfferTable("us-east-1", offers, types=TYPES)


AROUND = Surroundings(
    replica={
        "cpu": ReplicaNeeds(millicpu=3000, memory_mib=2048, max_replicas=6),
        "gpu": ReplicaNeeds(millicpu=2000, memory_mib=4096, gpus=1, max_replicas=6),
    },
    worker=WorkerNeeds(millicpu=1000, memory_mib=1024, start_s=30.0),
)


def work(frames: int, segments: int | None = None) -> Workload:
    """Frames of 1080p at 640 px, all of which are decoded; half a minute of 25 a second to a segment."""
    count = max(1, frames // 750) if segments is None else segments
    return Workload(MODELS, frames, 640 * 640 * 3, (Decoding(H264, frames),), count, frames // 250, count * 4)


ANYTHING = Allowed()


def question(frames: int, allowed: Allowed = ANYTHING, **changes: object) -> Question:
    """A question about the market as it is, with changes."""
    asked = Question(work(frames), allowed, AROUND, market(), SMALL, KnownSpeeds())
    return replace(asked, **changes)  # type: ignore[arg-type]
