"""A cluster with NodePools whose instance types have prices and known speeds."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

from support.decisions import INSTALLATION, NOW_S, a_head
from support.plan_questions import SMALL, KnownSpeeds
from support.plan_questions import market as offers
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.installation import AcceleratorSettings, Installation
from videojob.planning.placement.market import Market
from videojob.planning.placement.pools import Pool, Requirement
from videojob.video.plan import DecodedFrames, PlanHead

HOUR = 25 * 3600
"""Frames of an hour of video."""
GPUS = Pool(
    "gpu",
    (Requirement("karpenter.k8s.aws/instance-family", "In", ("g4dn", "g6")),),
    taints=(("nvidia.com/gpu", "true", "NoSchedule"),),
    gpus_left=8,
)
CPUS = Pool("cpu", (Requirement("karpenter.k8s.aws/instance-category", "In", ("c", "m")),))
PRICED: Installation = replace(
    INSTALLATION,
    karpenter="karpenter",
    accelerators={
        "cpu": AcceleratorSettings("registry.example/triton-cpu:1", 60),
        "gpu": AcceleratorSettings(
            "registry.example/triton:1", 120, gpu_models=("t4", "l4"), gpu_label="karpenter.k8s.aws/instance-gpu-name"
        ),
    },
)
MARKET = Market(offers(("a", "b")), SMALL, KnownSpeeds(), NOW_S, (GPUS, CPUS))


def priced_head(frames: int) -> PlanHead:
    """Frames of 1080p, ten seconds to a segment."""
    decoded = (DecodedFrames("h264", frames, 1920 * 1080),)
    return a_head(frames=frames, segments=max(1, frames // 250), duration_ms=frames * 40, decoded=decoded)


def with_prices(market: Market, times: str, capacity_type: str = "") -> Market:
    """The same where everything, or every hour of one capacity type, costs so many times as much."""
    offers = tuple(
        replace(one, price=replace(one.price, usd_per_h=one.price.usd_per_h * Decimal(times)))
        if capacity_type in {"", one.capacity_type}
        else one
        for one in market.offers.offers
    )
    market = replace(market, offers=replace(market.offers, offers=offers))
    if capacity_type:
        return market
    names = [one.name for one in fields(SmallPrices) if "usd" in one.name]
    small = {name: getattr(market.small, name) * Decimal(times) for name in names}
    return replace(market, small=replace(market.small, **small))
