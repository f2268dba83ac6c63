"""Frames per second of one replica, by whatever tells it best. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.throughput.hardware import BASE_CPU, BASE_GPU, Ratios, computes_on
from videojob.planning.throughput.lookup import ModelOnHardware
from videojob.planning.throughput.measured import Measurement, Quantity
from videojob.planning.throughput.rate import Figure, Origin
from videojob.planning.throughput.seeds import Seed, Seeds
from videojob.planning.throughput.spread import figure, pixels_spread, scaled, spread_of

_INSTALLED_SPREAD = 0.5
_SEPARATORS = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class _Known:
    """A figure on some hardware, for some size of input: of a GPU, or of as many vCPUs as the replica has; `rank` is 0
    for the best source.
    """

    rank: int
    figure: Figure
    hardware: str
    pixels: int
    subject: str


def replica_speed(
    model: ModelOnHardware,
    hardware: InstanceType,
    seeds: Seeds,
    sources: Sequence[tuple[Origin, Sequence[Measurement]]],
) -> Figure | None:
    """As `lookup.Speeds.replica`. Figures of that hardware and input come first, in the order of their sources; the
    others are scaled to it, and of these the source decides, then the spread.

    Args:
        model: what is served.
        hardware: where.
        seeds: what others published.
        sources: what was measured, the most trusted first.
    """
    target = computes_on(model, hardware)
    if target is None:
        return None
    ratios = Ratios(seeds)
    choices = []
    for known in _all_known(model, ratios, sources):
        found = _on(known, target, model, ratios)
        if found is not None:
            choices.append((found.origin is Origin.EXTRAPOLATED, known.rank, spread_of(found), found))
    return min(choices, key=lambda choice: choice[:3])[3] if choices else None


def _on(known: _Known, target: str, model: ModelOnHardware, ratios: Ratios) -> Figure | None:
    """That figure for the wanted hardware and input; None where no ratio is known."""
    between = ratios.between(known.hardware, target, needs_gpu=not model.replica_cpus)
    if between is None:
        return None
    times, spreads = between
    smaller = known.pixels / model.input_pixels if model.input_pixels else 1.0
    if times == 1.0 and not spreads and smaller == 1.0:
        return known.figure
    parts = [f"times {times:.3g} from {known.hardware} to {target}"] if spreads else []
    parts += [f"times {smaller:.3g} for the input's size"] if f"{smaller:.3g}" != "1" else []
    note = f"{known.subject}, {', '.join(parts)}"
    return scaled(known.figure, times * smaller, *spreads, pixels_spread(smaller), note=note)


def _all_known(
    model: ModelOnHardware, ratios: Ratios, sources: Sequence[tuple[Origin, Sequence[Measurement]]]
) -> Iterator[_Known]:
    for rank, (origin, measurements) in enumerate(sources):
        for one in _of_model(model, measurements):
            times = model.replica_cpus or 1.0
            known = Figure(one.mean * times, one.low * times, one.high * times, origin, one.samples)
            yield _Known(rank, known, one.subject.hardware, one.subject.pixels, str(origin))
    if model.installed_frames_per_s > 0.0:
        base = BASE_CPU if model.replica_cpus else BASE_GPU
        note = "the installation's framesPerSecond"
        known = figure(model.installed_frames_per_s, _INSTALLED_SPREAD, origin=Origin.PUBLISHED, note=note)
        yield _Known(len(sources), known, model.installed_hardware or base, model.input_pixels, note)
    for seed in ratios.seeds.speeds["replica"]:
        if _plain(seed.subject) == _plain(model.model):
            yield _published(seed, len(sources) + 1, model, ratios)


def _of_model(model: ModelOnHardware, measurements: Sequence[Measurement]) -> Iterator[Measurement]:
    for one in measurements:
        subject = one.subject
        if subject.quantity is Quantity.REPLICA and subject.of == model.digest and subject.runtime == model.backend:
            yield one


def _published(seed: Seed, rank: int, model: ModelOnHardware, ratios: Ratios) -> _Known:
    runtime = ratios.seeds.ratio("runtime", model.backend) if seed.runtime.startswith("TensorRT") else None
    known = figure(
        seed.frames_per_s * (model.replica_cpus or 1.0), seed.spread, origin=Origin.PUBLISHED, note=seed.note
    )
    if runtime is not None and not model.replica_cpus:
        known = scaled(known, runtime.times, runtime.spread, note=f"{seed.note}; {runtime.note}")
    return _Known(rank, known, seed.hardware, seed.pixels, f"published for {seed.subject}")


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name.lower())
