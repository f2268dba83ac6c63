"""Where a job's frames are answered: chosen once per epoch, then read from what was recorded."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.planning.installation import Accelerator, CapacityType, InstalledModel, ServerVariant


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
    """A choice as the VideoJob's status has it.

    Attributes:
        key: the server that was chosen. epoch: for which run.
        why: the reason, for people.
    """

    key: ServerKey
    epoch: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The server that a job uses, with what this installation offers for it now."""

    key: ServerKey
    model: InstalledModel
    variant: ServerVariant
    why: str
