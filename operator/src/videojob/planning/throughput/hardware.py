"""Which hardware a speed holds for: a GPU model, or a CPU family. Pure."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.throughput.lookup import ModelOnHardware
from videojob.planning.throughput.seeds import Ratio, Seeds

_FAMILY = re.compile(r"(?P<letters>[a-z]+)(?P<generation>\d+)(?P<processor>[aig]?)")
BASE_GPU = "t4"
BASE_CPU = "c7i"
"""What a figure of the installation holds for when it does not say which hardware was measured."""
_UNKNOWN = Ratio(0.5, 1.5, "no ratio is known")


def computes_on(model: ModelOnHardware, hardware: InstanceType) -> str | None:
    """What a replica of it computes on there: a GPU model, or the CPU family; None when it cannot run there."""
    if model.replica_cpus > 0.0:
        return hardware.family
    return hardware.gpu if hardware.gpus > 0 and hardware.gpu else None


def family_of(instance_type: str) -> str:
    """The part of an instance type's name before the point."""
    return instance_type.partition(".")[0]


def known_family(family: str, known: Container[str]) -> str:
    """The family whose figures hold for it: itself, or the one with the same processor without further letters, as
    c6gd has that of c6g, c5n that of c5, and m7i-flex that of m7i.
    """
    if family in known:
        return family
    found = _FAMILY.match(family)
    return family if found is None else found.group()


@dataclass(frozen=True, slots=True)
class Ratios:
    """How many times as fast one hardware is as another."""

    seeds: Seeds

    def is_gpu(self, hardware: str) -> bool:
        """Whether it is a GPU model whose ratio is known."""
        return hardware in self.seeds.ratios["gpu"]

    def between(self, known: str, requested: str, *, needs_gpu: bool) -> tuple[float, tuple[float, ...]] | None:
        """What a figure of one GPU, or of one vCPU, of the known hardware is to be multiplied with for the wanted, and
        the spreads that come with it; None for GPUs without a ratio.
        """
        if known == requested:
            return 1.0, ()
        if needs_gpu and not self.is_gpu(requested):
            return None
        one, other = self._of(known), self._of(requested)
        crossing = () if self.is_gpu(known) == needs_gpu else (self.of_cpu("cpu", BASE_GPU).spread,)
        return other[0] / one[0], (*one[1], *other[1], *crossing)

    def of_cpu(self, kind: str, family: str) -> Ratio:
        """A CPU family's ratio to c7i, for models ("cpu") or decoding ("decode-cpu")."""
        found = self.seeds.ratio(kind, known_family(family, self.seeds.ratios[kind]))
        return _UNKNOWN if found is None else found

    def _of(self, hardware: str) -> tuple[float, tuple[float, ...]]:
        """In vCPUs of c7i."""
        gpu = self.seeds.ratios["gpu"].get(hardware)
        if gpu is None:
            cpu = self.of_cpu("cpu", hardware)
            return cpu.times, (cpu.spread,)
        base = self.of_cpu("cpu", BASE_GPU)
        return gpu.times * base.times, (gpu.spread,)
