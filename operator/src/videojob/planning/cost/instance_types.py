"""What an EC2 instance type has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arch = Literal["amd64", "arm64"]


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One type.

    Attributes:
        name: as in "g4dn.xlarge".
        arch: of its CPUs.
        vcpus: of the machine. allocatable_millicpu: of these for pods, in thousandths.
        memory_mib: of the machine. allocatable_memory_mib: of these for pods.
        gpus: how many `nvidia.com/gpu` a node offers; 0 on types that share a part of one.
        gpu: Karpenter's name of its model, as in "t4"; "" for none.
        gpu_memory_mib: of one GPU.
        local_nvme_gib: of its own disks together; 0 for none, or when nothing tells.
        interruption_band: the share of spot instances that EC2 interrupts in a month, as AWS states it: "<5%", "5-10%",
            "10-15%", "15-20%" or ">20%"; "" when nothing tells.
    """

    name: str
    arch: Arch
    vcpus: int
    memory_mib: int
    allocatable_millicpu: int
    allocatable_memory_mib: int
    gpus: int = 0
    gpu: str = ""
    gpu_memory_mib: int = 0
    local_nvme_gib: int = 0
    interruption_band: str = ""

    @property
    def family(self) -> str:
        """The part before the point."""
        return self.name.partition(".")[0]
