"""From what a segment's commit tells to samples of speeds, and from samples to figures. Pure.

A server's speed comes from the time of its executed batches, not from how many frames were asked of it: a server that
waits for frames is as fast as a busy one. A batch's time is a line in its frames, which the counters of a window tell
when batches differ in size; so the speed at full batches follows from a server that seldom gets one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from videojob.planning.throughput.hardware import family_of
from videojob.planning.throughput.measured import Measurement, Quantity, Subject

LEAST_EXECUTIONS = 4
"""In a window of fewer batches, one that was cold or disturbed would be most of it."""
LEAST_PICTURES = 50
PER_JOB = 8
"""Samples that one job leaves for one subject, however many segments it has."""
KEPT = 40
"""Samples of a subject that are kept, the newest: those of at least five jobs."""

_FULL = 0.9  # of the largest batch: fuller is not needed to tell its time
_VARIES = 0.05  # standard deviation of a batch's frames, as a share of their mean, from which a line is fitted
_TIGHT = 0.5  # spread of a single sample; of more it shrinks with the square root of their number
_P90 = 1.2816  # standard deviations of a normal distribution
_MAD_TO_SIGMA = 1.4826
_MOST_LOAD = 1000.0  # as good as never empty


@dataclass(frozen=True, slots=True)
class Executed:
    """What a server did in a window: `results.aggregate.segment_results.ServerWork` as far as speed is concerned."""

    window_s: float
    executions: int
    frames: int
    frames_squared: int
    execution_s: float
    frame_execution_s: float
    max_batch: int
    instances: int


@dataclass(frozen=True, slots=True)
class Served:
    """The server that a job's frames went to.

    Attributes:
        digest: of its model. name: of its model. runtime: Triton's backend.
        hardware: GPU model, or CPU family; "" when nothing tells it.
        replica_cpus: vCPUs of a replica on CPUs; 0 on a GPU.
    """

    digest: str
    name: str
    runtime: str
    hardware: str
    replica_cpus: float = 0.0


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What one commit tells.

    Attributes:
        codec, pixels: of the video. keyframes_only: whether only these were decoded.
        pictures: that were decoded. decoding_s: of decoder and runner at work on them, waiting not counted.
        retries: inference requests that were sent again.
        worker: instance type of the machine that decoded; "" when nothing tells it.
        input_pixels: width times height of what was sent. executed: by the server; None when it did not tell.
    """

    codec: str
    pixels: int
    keyframes_only: bool
    pictures: int
    decoding_s: float
    retries: int
    worker: str = ""
    input_pixels: int = 0
    executed: Executed | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: frames per second of one GPU or vCPU, or seconds. `name` is the model's, for people."""

    subject: Subject
    value: float
    name: str = ""


def samples(segment: SegmentFacts, served: Served | None) -> list[Sample]:
    """What a commit teaches: nothing where requests were sent again, where hardware is unknown, where little ran."""
    if segment.retries:
        return []
    found = []
    executed = segment.executed
    if served is not None and served.hardware and executed is not None:
        rate = capacity(executed, shares_device=served.replica_cpus == 0.0)
        if rate is not None:
            subject = Subject(
                Quantity.REPLICA,
                served.digest,
                segment.input_pixels,
                served.hardware,
                served.runtime,
                executed.max_batch,
            )
            found.append(Sample(subject, rate / (served.replica_cpus or 1.0), served.name))
    if segment.worker and segment.pictures >= LEAST_PICTURES and segment.decoding_s > 0.0:
        quantity = Quantity.KEYFRAMES if segment.keyframes_only else Quantity.DECODE
        subject = Subject(quantity, segment.codec, segment.pixels, family_of(segment.worker))
        found.append(Sample(subject, segment.pictures / segment.decoding_s))
    return found


def capacity(executed: Executed, *, shares_device: bool) -> float | None:
    """Frames per second that the server answers when it is never without a full batch; None when too little ran.

    Args:
        executed: in a window.
        shares_device: its instances take turns on one device, as on a GPU, instead of computing side by side.
    """
    if executed.executions < LEAST_EXECUTIONS or executed.frames <= 0 or executed.execution_s <= 0.0:
        return None
    alone = _alone(executed) if shares_device else 1.0
    frames, seconds = _full_batch(executed)
    side_by_side = 1 if shares_device else executed.instances
    return side_by_side * frames / (seconds * alone)


def _full_batch(executed: Executed) -> tuple[float, float]:
    """(frames, seconds) of the fullest batch whose time the window tells."""
    count = executed.executions
    mean, seconds = executed.frames / count, executed.execution_s / count
    variance = executed.frames_squared / count - mean * mean
    if mean >= _FULL * executed.max_batch or variance < (_VARIES * mean) ** 2:
        return mean, seconds
    slope = (executed.frame_execution_s / count - mean * seconds) / variance
    slope = min(max(slope, 0.0), seconds / mean)  # a batch takes time, and no frame less than none
    return executed.max_batch, seconds + slope * (executed.max_batch - mean)


def _alone(executed: Executed) -> float:
    """The share of a batch's time in which the device worked for it: the rest it waited for other instances.

    Of instances that arrive at random, `load` for each, as a queue with room for one batch of each instance: the mean
    number inside tells the load, and both tell how long the device is busy. With one instance, nobody waits.
    """
    inside = min(executed.execution_s / executed.window_s if executed.window_s > 0.0 else 0.0, executed.instances)
    if executed.instances <= 1 or inside <= 0.0:
        return 1.0
    low, high = 0.0, _MOST_LOAD
    for _ in range(80):
        load = (low + high) / 2
        low, high = (load, high) if _inside(load, executed.instances)[0] < inside else (low, load)
    number, busy = _inside(high, executed.instances)
    return busy / number


def _inside(load: float, room: int) -> tuple[float, float]:
    """(mean number, share of time that it is not empty) of a queue with so much room."""
    weights = [load**place for place in range(room + 1)]
    total = sum(weights)
    return sum(place * weight for place, weight in enumerate(weights)) / total, 1.0 - weights[0] / total


def thinned(values: Sequence[float], most: int) -> tuple[float, ...]:
    """At most so many that are distributed as all are: quantiles in even steps, ascending."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return tuple(ordered)
    return tuple(ordered[int((place + 0.5) * len(ordered) / most)] for place in range(most))


def typical(values: Sequence[float]) -> tuple[float, float]:
    """(centre, factor from it to the 10th and 90th percentile). The centre is the median: of values of which a third
    are anything, it stays within the others. Few values mean a wide spread.
    """
    logs = [math.log(value) for value in values]
    centre = statistics.median(logs)
    sigma = _MAD_TO_SIGMA * statistics.median(abs(value - centre) for value in logs)
    return math.exp(centre), math.exp(math.hypot(_P90 * sigma, math.log1p(_TIGHT) / math.sqrt(len(logs))))


def by_subject(found: Iterable[Sample]) -> dict[Subject, tuple[str, tuple[float, ...]]]:
    """Samples of one job: by subject the model's name, and at most `PER_JOB` values."""
    names: dict[Subject, str] = {}
    values: dict[Subject, list[float]] = {}
    for sample in found:
        names[sample.subject] = sample.name
        values.setdefault(sample.subject, []).append(sample.value)
    return {subject: (names[subject], thinned(each, PER_JOB)) for subject, each in values.items()}


def measurement(subject: Subject, values: Sequence[float], at_s: int, name: str = "") -> Measurement:
    """What samples of a subject say together.

    Args:
        subject: what was measured.
        values: at least one, each more than 0.
        at_s: when the last was made.
        name: of the model, for people.
    """
    centre, factor = typical(values)
    return Measurement(subject, centre, centre / factor, centre * factor, len(values), at_s, name)
