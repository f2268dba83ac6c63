"""How much is measured, and the tasks made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from bench.clips import FRAMES_PER_S, clip, frames_in
from bench.peers.model import Boxes, contract_of, video_size
from bench.server import MODEL, cores, weights
from bench.tasks import ServerPlace, Task

_SEGMENTS_PER_CORE = 2
_LONGEST_SEGMENT_MS = 30_000


@dataclass(frozen=True)
class Plan:
    """Sizes of the runs.

    Attributes:
        loops: of the sample's 250 frames, for runs at the network's speed.
        long_loops: the same, for runs that only decode or talk to an emulated device.
        rounds: how often an interleaved series is gone through; each gives two pairs per peer.
        clips: names of the clips that end-to-end rows are measured on.
        patience: how often a run that others disturbed is repeated.
    """

    loops: int
    long_loops: int
    rounds: int
    clips: tuple[str, ...] = ("small", "1080p")
    patience: int = 0
    scratch: Path = field(default=Path("unset"))

    @cached_property
    def cores(self) -> int:
        """Cores that every variant may plan for."""
        return cores()

    def task(self, clip_name: str, loops: int, server: ServerPlace | None = None, model: str = MODEL) -> Task:
        """A run over a clip."""
        clip_ms = 1000 * frames_in(loops) // FRAMES_PER_S
        return Task(
            clip=clip(clip_name, loops),
            frames=frames_in(loops),
            cores=self.cores,
            model=model,
            weights=weights(),
            segment_ms=min(_LONGEST_SEGMENT_MS, clip_ms // (_SEGMENTS_PER_CORE * self.cores)),
            scratch=self.scratch,
            server=server,
            patience=self.patience,
        )


def with_frame_size(task: Task, **options: str) -> Task:
    """The task with the model's frame size for its clip among its options, for clients that make their own frames."""
    geometry = Boxes(contract_of(task.weights), video_size(task.clip)).geometry
    size = {"height": str(geometry.height), "width": str(geometry.width)}
    return replace(task, options={**task.options, **size, **options})


QUICK = Plan(loops=1, long_loops=2, rounds=1)
FULL = Plan(loops=2, long_loops=12, rounds=3)
