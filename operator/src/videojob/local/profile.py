"""Measures what this machine does with a model: the server alone, the server under load, transport, decoding."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videojob.errors import InferenceTimeout, NoFrames
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.parent.probe import probe
from videojob.media.parent.rings import RingHolder
from videojob.media.protocol.messages import DecodeRequest
from videojob.planning.throughput.learn import LEAST_EXECUTIONS, Executed
from videojob.planning.throughput.profile import ServerProfile, server_profile
from videojob.ports.inference import Inference, ServerStatistics
from videojob.video.info import Sampling, Segment
from videojob.vision.geometry import fit
from videojob.vision.prepare import prepare
from videojob.vision.tensors import ModelContract

_WARM_REQUESTS = 3
_ANSWER_S = 120.0
_RING_SLOTS = 16
_SOURCE = (1920, 1080)


@dataclass(frozen=True, slots=True)
class Profile:
    """What this machine does with a model.

    Attributes:
        server: what the server does.
        transport_per_s: frames/s that one vCPU prepares, sends and takes answers of.
        input_size: (width, height) of the frames that were sent.
        decode_per_s: pictures/s that one vCPU decodes and resizes; None when no video was given.
    """

    server: ServerProfile
    transport_per_s: float
    input_size: tuple[int, int]
    decode_per_s: float | None = None


def profile_server(inference: Inference, *, seconds: float, load: float = 1.0) -> Profile:
    """Measures the server, about twice `seconds`: alone, then under load.

    Args:
        inference: a connection that nobody else uses; its server's model gets no other request meanwhile.
        seconds: of each of both parts.
        load: of the frames in flight that keep a server busy; below 1 it idles now and then.

    Raises:
        ServerError: it does not answer.
    """
    contract = inference.contract
    geometry = fit(*_SOURCE, contract.pixels)
    pixels = np.random.default_rng(0).integers(
        0, 256, (max(1, contract.max_batch), geometry.height, geometry.width, 3), np.uint8
    )
    ids = itertools.count(1)
    sizes = _sizes(contract)
    alone_s = {size: _alone_s(inference, pixels[:size], ids, seconds / len(sizes)) for size in sizes}
    in_flight = max(1, round(2 * load * contract.instances * max(1, contract.max_batch)))
    loaded, transport_s = _loaded(inference, pixels, ids, seconds, in_flight)
    return Profile(server_profile(alone_s, loaded), 1.0 / transport_s, (geometry.width, geometry.height))


def decode_rate(video: Path, contract: ModelContract, *, seconds: float) -> float:
    """Pictures per second that one vCPU decodes and resizes to a model's input.

    Args:
        video: a local file.
        contract: of the model.
        seconds: after which the rest of the video is left.

    Raises:
        InputError: the subclass that names what is wrong with the video.
    """
    info = probe(video, str(video))
    geometry = fit(*info.display_size, contract.pixels)
    request = DecodeRequest(
        path=video,
        info=info,
        segment=Segment(0, 0, None, None),
        sampling=Sampling(),
        geometry=geometry,
        colour=contract.pixels.colour,
        pad_value=contract.pixels.pad_value,
        skip_corrupt=True,
    )
    rings, decoder = RingHolder(), DecoderProcess()
    try:
        frames = decoder.open(request, rings.ring(_RING_SLOTS, geometry.width * geometry.height * 3))
        began_s, pictures = time.monotonic(), 0
        for frame in frames:
            pictures += 1
            if frame.slot is not None:
                frames.release(frame.slot)
            if time.monotonic() - began_s > seconds:
                break
        spent_s = time.monotonic() - began_s
    finally:
        decoder.close()
        rings.close()
    if not pictures:
        raise NoFrames("not one picture could be decoded", uri=str(video))
    return pictures / spent_s


def _sizes(contract: ModelContract) -> list[int]:
    """1, 2, 4, … and the largest batch."""
    most = max(1, contract.max_batch)
    return sorted({most, *(1 << power for power in range(most.bit_length()))} - {0})


def _alone_s(inference: Inference, pixels: NDArray[np.uint8], ids: Iterator[int], seconds: float) -> float:
    """Seconds of the model for such a batch, one request at a time: the lower quartile, as whatever else this machine
    does only ever makes a batch longer.
    """
    wire = prepare(pixels, inference.contract.pixels)
    for _ in range(_WARM_REQUESTS):
        inference.submit(next(ids), wire, None)
        _answer(inference)
    taken_s: list[float] = []
    before, began_s = inference.statistics(), time.monotonic()
    while len(taken_s) < LEAST_EXECUTIONS or time.monotonic() - began_s < seconds:
        inference.submit(next(ids), wire, None)
        _answer(inference)
        after = inference.statistics()
        executions = after.executions - before.executions
        if executions:  # the server counts a batch now and then after it has answered
            taken_s.append((after.execution_s - before.execution_s) / executions)
            before = after
    return sorted(taken_s)[len(taken_s) // 4]


def _loaded(
    inference: Inference, pixels: NDArray[np.uint8], ids: Iterator[int], seconds: float, in_flight: int
) -> tuple[Executed, float]:
    """(what the server did, this process's CPU seconds for a frame) with so many frames in flight."""
    contract = inference.contract
    group = max(1, min(contract.max_batch // 2, in_flight // 2))
    wire = prepare(pixels[:group], contract.pixels)
    for _ in range(max(1, in_flight // group)):
        inference.submit(next(ids), wire, None)
    for _ in range(max(1, in_flight // group)):  # the first answers come while batches are not full yet
        _answer(inference)
        inference.submit(next(ids), wire, None)
    before, began_s, cpu_s, answered = inference.statistics(), time.monotonic(), time.process_time(), 0
    while time.monotonic() - began_s < seconds or answered < LEAST_EXECUTIONS:
        _answer(inference)
        answered += 1
        prepare(pixels[:group], contract.pixels)
        inference.submit(next(ids), wire, None)
    after, ended_s, cpu_s = inference.statistics(), time.monotonic(), time.process_time() - cpu_s
    for _ in range(max(1, in_flight // group)):
        _answer(inference)
    return _executed(before, after, ended_s - began_s, contract), cpu_s / (answered * group)


def _executed(before: ServerStatistics, after: ServerStatistics, window_s: float, contract: ModelContract) -> Executed:
    return Executed(
        window_s,
        after.executions - before.executions,
        after.inferences - before.inferences,
        after.frames_squared - before.frames_squared,
        after.execution_s - before.execution_s,
        after.frame_execution_s - before.frame_execution_s,
        max(1, contract.max_batch),
        contract.instances,
    )


def _answer(inference: Inference) -> None:
    if inference.collect(_ANSWER_S) is None:
        raise InferenceTimeout(f"the server gave no answer for {_ANSWER_S:.0f} s")
