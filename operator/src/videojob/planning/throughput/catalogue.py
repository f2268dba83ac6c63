"""The catalogue of speeds: what was measured on the job, then what was measured here, then what the installation says,
then what others published, then what follows from any of these for other hardware and sizes. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.throughput.decoding import decode_speed
from videojob.planning.throughput.lookup import ModelOnHardware, VideoKind
from videojob.planning.throughput.measured import Measurement, Quantity
from videojob.planning.throughput.rate import ColdStart, Figure, Origin
from videojob.planning.throughput.replicas import replica_speed
from videojob.planning.throughput.seeds import Seeds

_TENSORRT = "tensorrt"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Implements `lookup.Speeds`.

    Attributes:
        seeds: what others published.
        measured: what was measured here.
        this_job: what was measured on the job that asks.
    """

    seeds: Seeds
    measured: tuple[Measurement, ...] = ()
    this_job: tuple[Measurement, ...] = ()

    def replica(self, model: ModelOnHardware, hardware: InstanceType) -> Figure | None:
        """As in `lookup.Speeds`."""
        return replica_speed(model, hardware, self.seeds, self._sources)

    def decode(self, video: VideoKind, hardware: InstanceType) -> Figure:
        """As in `lookup.Speeds`."""
        return decode_speed(video, hardware, self.seeds, self._sources)

    def start(self, model: ModelOnHardware, hardware: InstanceType) -> ColdStart:
        """As in `lookup.Speeds`: parts that were measured, else as the installation says, else as published."""
        free = self.seeds.start("free", "", "")
        node, image, loading = (
            self._known_part(one, model, hardware) for one in (Quantity.NODE, Quantity.IMAGE, Quantity.MODEL)
        )
        builds = model.backend == _TENSORRT and not model.keeps_engines
        engine = self._part(Quantity.ENGINE, model, hardware) if builds else None
        if model.installed_start_s:
            times = model.installed_start_s / ColdStart(node, image, loading).mean_s
            node, image, loading = (_installed(one, times) for one in (node, image, loading))
            engine = None if engine is None or engine.origin is Origin.PUBLISHED else engine
        return ColdStart(node, image, loading, engine, 0.0 if free is None else free.mean)

    @property
    def _sources(self) -> tuple[tuple[Origin, tuple[Measurement, ...]], ...]:
        return (Origin.THIS_JOB, self.this_job), (Origin.MEASURED, self.measured)

    def _known_part(self, part: Quantity, model: ModelOnHardware, hardware: InstanceType) -> Figure:
        found = self._part(part, model, hardware)
        if found is None:
            raise ValueError(f"the published figures lack a cold start's part {part}")
        return found

    def _part(self, part: Quantity, model: ModelOnHardware, hardware: InstanceType) -> Figure | None:
        """Its seconds: measured on such hardware, else published for a GPU or a CPU."""
        on_gpu = model.replica_cpus == 0.0
        where = hardware.gpu if on_gpu else hardware.family
        of = model.digest if part in {Quantity.MODEL, Quantity.ENGINE} else ""
        for origin, measurements in self._sources:
            for one in measurements:
                subject = one.subject
                if subject.quantity is part and subject.of == of and subject.hardware == where:
                    return one.figure(origin)
        return self.seeds.start(part, "gpu" if on_gpu else "cpu", model.backend)


def _installed(part: Figure, times: float) -> Figure:
    """A published part of a start as long as the installation's figure for all of it makes it; measured ones stay."""
    if part.origin in {Origin.THIS_JOB, Origin.MEASURED}:
        return part
    note = "the installation's startSeconds"
    return Figure(part.mean * times, part.low * times, part.high * times, Origin.PUBLISHED, note=note)
