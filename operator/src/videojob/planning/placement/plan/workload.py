"""How much work a job is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from videojob.planning.installation import Accelerator
from videojob.planning.throughput.lookup import ModelOnHardware, VideoKind

GETS_OF_SEGMENT = 4
"""Requests for the bytes of one segment: blocks of a few MB each (docs/reference/benchmarks.md)."""
WRITES_OF_SEGMENT = 1
"""Write units of its result: one item of up to a KB."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """Videos of one kind.

    Attributes:
        kind: what one picture of them takes.
        frames: that are decoded, whether or not they go to the model.
    """

    kind: VideoKind
    frames: int


@dataclass(frozen=True, slots=True)
class Workload:
    """The whole job, or what is left of it.

    Attributes:
        models: which answers the frames, as it is served on each kind of hardware.
        frames: that go to the model.
        frame_bytes: of one of them on its way from a worker to a server.
        decodings: all videos by kind.
        segments: that the videos are cut into; so many workers at most have something to do.
        write_units: of the results table.
        get_requests: for the videos' bytes.
    """

    models: Mapping[Accelerator, ModelOnHardware]
    frames: int
    frame_bytes: int
    decodings: tuple[Decoding, ...]
    segments: int
    write_units: int = 0
    get_requests: int = 0
