"""What was measured here: speeds and times by model, hardware and kind of video. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from videojob.planning.throughput.rate import Figure, Origin


class Quantity(StrEnum):
    """What a measurement is of."""

    REPLICA = "replica"
    DECODE = "decode"
    KEYFRAMES = "keyframes"
    NODE = "node"
    IMAGE = "image"
    MODEL = "model"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What was measured, on what.

    Attributes:
        quantity: "replica": frames/s of one GPU, or of one vCPU. "decode", "keyframes": pictures/s of one vCPU that
            decodes, resizes and sends. The others: seconds of a part of a cold start.
        of: digest of a model; codec of a video, in FFmpeg's name; "" for a node or an image.
        pixels: of the model's input, or of a picture of the video; 0 for parts of a cold start.
        hardware: GPU model; CPU family where it is a vCPU's speed; both for a part of a cold start.
        runtime: backend of Triton; "" where none is involved.
        batch: most frames that the server computes at once; 0 where there is no model.
    """

    quantity: Quantity
    of: str
    pixels: int
    hardware: str
    runtime: str = ""
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the samples of one subject say together.

    Attributes:
        subject: what was measured.
        mean, low, high: frames/s or seconds, with its 10th and 90th percentile; 0 < low <= mean <= high.
        samples: how many measurements, at least 1.
        at_s: when the last one was made, in seconds since the epoch.
        name: of the model, for people; "" where there is none.
    """

    subject: Subject
    mean: float
    low: float
    high: float
    samples: int
    at_s: int
    name: str = ""

    def figure(self, origin: Origin = Origin.MEASURED) -> Figure:
        """It as a figure."""
        return Figure(self.mean, self.low, self.high, origin, self.samples)
