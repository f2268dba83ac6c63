"""Where a job's frames are answered: chosen once per epoch, then read from what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from videojob.planning.installation import Accelerator, CapacityType, InstalledModel, ServerVariant

PriceWord = Literal["karpenter", "aws", "static", "values"]
"""Sources of prices, as the status names them."""


@dataclass(frozen=True, slots=True)
class ServerKey:
    """Which server: jobs with an equal key share one Deployment.

    Attributes:
        capacity_types, instance_types: the job's constraints, sorted; empty for none.
        gpu: the GPU model of all replicas; "" on CPUs, where nodes do not tell it, and in keys of before it was there.
    """

    model: str
    version: int
    accelerator: Accelerator
    capacity_types: tuple[CapacityType, ...] = ()
    instance_types: tuple[str, ...] = ()
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class RecordedPlacement:
    """A choice as the VideoJob's status, or the backend, has it.

    Attributes:
        key: the server that was chosen. epoch: for which run.
        why: the reason, for people.
        replica_frames_per_s: of one replica, as the choice expected it; None where it goes by the installation's.
    """

    key: ServerKey
    epoch: int
    why: str = ""
    replica_frames_per_s: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Rival:
    """A way to run the job that lost.

    Attributes:
        instance_type, capacity_type: of its servers.
        usd: that it would cost. why_not: in a few words.
    """

    instance_type: str
    capacity_type: CapacityType
    usd: Decimal
    why_not: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a choice by price expected.

    Attributes:
        usd: of the whole job. low_usd, high_usd: between which it should lie.
        ends_in_s: until the results are there; in nine of ten cases it is less than `ends_in_p90_s`.
        source: of the prices: "karpenter", "aws" or "static". as_of_s: when it stated them.
        precision: what the price of the chosen type was made of.
        rivals: the best that lost, the cheapest first.
    """

    usd: Decimal
    low_usd: Decimal
    high_usd: Decimal
    ends_in_s: float
    ends_in_p90_s: float
    source: PriceWord
    as_of_s: int
    precision: str
    rivals: tuple[Rival, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """The server that a job uses, with what this installation offers for it now.

    Attributes:
        estimate: of a choice by price that was made just now; None for one that was recorded, or made without prices.
    """

    key: ServerKey
    model: InstalledModel
    variant: ServerVariant
    why: str
    estimate: Estimate | None = None
    replica_frames_per_s: Fraction | None = None
