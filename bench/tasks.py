"""What is handed to a measured process and what comes back. JSON between processes, frozen inside."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """A running Triton.

    Attributes:
        address: HOST:PORT of gRPC.
        headers: metadata that opens its restricted calls.
        supervisor_pid: root of its processes, whose CPU time counts for whoever uses it.
    """

    address: str
    headers: tuple[tuple[str, str], ...]
    supervisor_pid: int


@dataclass(frozen=True, slots=True)
class Task:
    """One run of one variant.

    Attributes:
        clip: the video.
        frames: how many of its frames to process, from the start.
        cores: how many cores the variant may plan for.
        model: name on the server.
        weights: the ONNX file of the same model, for peers without a server.
        segment_ms: length of the segments that ours cuts.
        server: where the model is served; None for peers that need none.
        scratch: folder of this run alone, removed afterwards.
        boxes: where to write the boxes found (`bench.agreement.save`); None when nobody compares.
        options: what only some variants know.
        patience: how often a run that others disturbed is repeated; the least disturbed one counts.
    """

    clip: Path
    frames: int
    cores: int
    model: str
    weights: Path
    segment_ms: int
    scratch: Path
    server: ServerPlace | None = None
    boxes: Path | None = None
    options: dict[str, str] = field(default_factory=dict)
    patience: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able values; `task_from_dict` reads them back."""
        values = asdict(self)
        for name in ("clip", "weights", "scratch", "boxes"):
            values[name] = None if values[name] is None else str(values[name])
        return values


def task_from_dict(values: dict[str, Any]) -> Task:
    """The inverse of `Task.as_dict`."""
    server = values["server"]
    if server is not None:
        headers = tuple((str(key), str(value)) for key, value in server["headers"])
        server = ServerPlace(str(server["address"]), headers, int(server["supervisor_pid"]))
    paths = {name: Path(values[name]) for name in ("clip", "weights", "scratch")}
    boxes = None if values["boxes"] is None else Path(values["boxes"])
    return Task(**{**values, **paths, "server": server, "boxes": boxes})


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run came to.

    Attributes:
        frames: processed inside the measured time.
        wall_s: the measured time.
        cpu_s: CPU time that all its processes took in it, the server's included.
        peak_rss_bytes: highest resident memory of the variant's processes, summed, the server's not included.
        others_share: of all cores' time in it, what went to processes that are neither the variant's nor the server's,
            or was taken by the machine's host. A run is worth as much as this is small.
        extra: figures that only some variants give.
    """

    frames: int
    wall_s: float
    cpu_s: float
    peak_rss_bytes: int = 0
    others_share: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def frames_per_s(self) -> float:
        """Throughput."""
        return self.frames / self.wall_s

    @property
    def cpu_ms_per_frame(self) -> float:
        """CPU time per frame."""
        return 1000 * self.cpu_s / self.frames
