"""Decoding to the model's pixels by our decoder processes, one per core, each over the whole clip.

Options: `keyframes` ("1") or `frames_per_second` sample; `frames` of the sample then still counts the clip's frames, so
that rates compare as video time covered.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

from bench.child import measured
from bench.peers.model import contract_of
from bench.tasks import Sample, Task
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.parent.rings import RingHolder
from videojob.media.protocol.messages import DecodeReport, DecodeRequest
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.vision.geometry import fit

_SLOTS = 40  # what a worker has on two cores


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    decoders = [DecoderProcess() for _ in range(task.cores)]
    rings = [RingHolder() for _ in decoders]
    try:
        infos = [decoder.probe(task.clip, task.clip.name) for decoder in decoders]
        with ThreadPoolExecutor(task.cores) as pool, measured(task) as measurement:
            reports = list(pool.map(_decode_all, decoders, rings, infos, [task] * task.cores))
            measurement.frames = task.frames * task.cores
        measurement.extra = {"selected": float(sum(report.frames_selected for report in reports))}
    finally:
        for decoder, holder in zip(decoders, rings, strict=True):
            decoder.close()
            holder.close()
    return measurement.sample()


def _decode_all(decoder: DecoderProcess, holder: RingHolder, info: VideoInfo, task: Task) -> DecodeReport:
    pixels = contract_of(task.weights).pixels
    geometry = fit(*info.display_size, pixels)
    rate = task.options.get("frames_per_second")
    request = DecodeRequest(
        path=task.clip,
        info=info,
        segment=Segment(0, 0, None, None),
        sampling=Sampling(
            frames_per_second=None if rate is None else Fraction(rate),
            keyframes_only=task.options.get("keyframes") == "1",
        ),
        geometry=geometry,
        colour=pixels.colour,
        pad_value=pixels.pad_value,
        skip_corrupt=False,
    )
    frames = decoder.open(request, holder.ring(_SLOTS, geometry.width * geometry.height * 3))
    for frame in frames:
        if frame.slot is not None:
            frames.release(frame.slot)
    return frames.report()
