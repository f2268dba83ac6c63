"""Frames per second of one vCPU that decodes, by whatever tells it best. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.throughput.hardware import Ratios
from videojob.planning.throughput.lookup import VideoKind
from videojob.planning.throughput.measured import Measurement, Quantity
from videojob.planning.throughput.rate import Figure, Origin
from videojob.planning.throughput.seeds import Ratio, Seed, Seeds
from videojob.planning.throughput.spread import figure, pixels_spread, spread_of

_SAME_SIZE = 1.25
_CODEC, _CPU = "codec", "decode-cpu"


def decode_speed(
    video: VideoKind, hardware: InstanceType, seeds: Seeds, sources: Sequence[tuple[Origin, Sequence[Measurement]]]
) -> Figure:
    """As `lookup.Speeds.decode`.

    Args:
        video: what is decoded.
        hardware: where.
        seeds: what others published.
        sources: what was measured, the most trusted first.
    """
    ratios = Ratios(seeds)
    for origin, measurements in sources:
        found = [
            _from_measured(one, origin, video, hardware.family, ratios)
            for one in measurements
            if one.subject.quantity is _quantity(video) and one.subject.of == video.codec
        ]
        if found:
            return min(found, key=lambda each: (each.origin is Origin.EXTRAPOLATED, spread_of(each), each.mean))
    return _from_seeds(video, hardware.family, ratios)


def _quantity(video: VideoKind) -> Quantity:
    return Quantity.KEYFRAMES if video.keyframes_only else Quantity.DECODE


def _from_measured(one: Measurement, origin: Origin, video: VideoKind, family: str, ratios: Ratios) -> Figure:
    smaller = one.subject.pixels / max(1, video.pixels)
    if one.subject.hardware == family and 1 / _SAME_SIZE <= smaller <= _SAME_SIZE:
        return Figure(one.mean * smaller, one.low * smaller, one.high * smaller, origin, one.samples)
    here, there = ratios.of_cpu(_CPU, one.subject.hardware), ratios.of_cpu(_CPU, family)
    same = one.subject.hardware == family
    times = smaller if same else smaller * there.times / here.times
    spreads = [] if same else [here.spread, there.spread]
    note = f"{origin} on {one.subject.hardware} with {one.subject.pixels:,} pixels"
    known = spread_of(one.figure())
    return figure(one.mean * times, known, *spreads, pixels_spread(smaller), origin=Origin.EXTRAPOLATED, note=note)


def _from_seeds(video: VideoKind, family: str, ratios: Ratios) -> Figure:
    """From the measured H.264: its time per picture is linear in pixels; then by codec and CPU family."""
    seeds = ratios.seeds.speeds[str(_quantity(video))]
    codec = _ratio(ratios.seeds, video.codec)
    cpu = ratios.of_cpu(_CPU, family)
    near = min(seeds, key=lambda seed: pixels_spread(seed.pixels / max(1, video.pixels)))
    times = codec.times * cpu.times
    seconds = _seconds(seeds, video.pixels) / times + _sending_s(video, ratios.seeds) / cpu.times
    pixels = pixels_spread(near.pixels / max(1, video.pixels))
    plain = times == 1.0 and pixels == 0.0 and not video.sent_pixels
    origin = Origin.PUBLISHED if plain else Origin.EXTRAPOLATED
    note = f"{near.note}; {video.codec}: times {codec.times:.3g}, {family}: times {cpu.times:.3g}"
    return figure(1.0 / seconds, near.spread, codec.spread, cpu.spread, min(pixels, 0.5), origin=origin, note=note)


def _ratio(seeds: Seeds, codec: str) -> Ratio:
    found = seeds.ratio(_CODEC, codec)
    return Ratio(0.5, 1.5, "no ratio is known") if found is None else found


def _seconds(seeds: Sequence[Seed], pixels: int) -> float:
    """Of one picture: on the line through the smallest and the largest that were measured; with one, by pixels."""
    small, large = min(seeds, key=_by_pixels), max(seeds, key=_by_pixels)
    if small.pixels == large.pixels:
        return max(1, pixels) / small.pixels / small.frames_per_s
    slope = (1 / large.frames_per_s - 1 / small.frames_per_s) / (large.pixels - small.pixels)
    at = 1 / small.frames_per_s + slope * (pixels - small.pixels)
    return max(at, 0.1 / small.frames_per_s)


def _by_pixels(seed: Seed) -> int:
    return seed.pixels


def _sending_s(video: VideoKind, seeds: Seeds) -> float:
    sending = seeds.speeds["send"]
    if not video.sent_pixels or not sending:
        return 0.0
    return video.sent_pixels / sending[0].pixels / sending[0].frames_per_s
