"""Hand-written fakes of the ports, for tests of the runner itself. Real parts stand in every other test."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from support.segments import model_contract
from videojob.errors import VideoJobError
from videojob.media.protocol.messages import DecodeGap, DecodeReport, DecodeRequest, Frame
from videojob.ports.decoding import FrameRing
from videojob.ports.inference import InferenceReply, ServerStatistics
from videojob.ports.results import CommitOutcome
from videojob.results.aggregate.document import Document
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict, WriteUsage
from videojob.vision.tensors import ModelContract


class FakeClock:
    """Moves only when told; each reading of the monotonic time adds a microsecond."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_s(self) -> float:
        return 1_700_000_000.0 + self.seconds

    def monotonic_s(self) -> float:
        self.seconds += 1e-6
        return self.seconds


@dataclass
class FakeFrames:
    """Frames of one segment: each carries its number in its first pixel. Insists on the order of slots."""

    ring: FrameRing
    request: DecodeRequest
    plan: Sequence[bool]
    """False: the gate found the frame still."""
    fail_at: int | None = None
    gaps: tuple[DecodeGap, ...] = ()
    reported: int | None = None
    held: set[int] = field(default_factory=set)
    released: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[Frame]:
        geometry = self.request.geometry
        slot = 0
        for seq, moved in enumerate(self.plan):
            if seq == self.fail_at:
                raise VideoJobError("the decoder fell over")
            if not moved:
                yield Frame(seq, seq, seq * 40, None)
                continue
            assert slot not in self.held, "the decoder would wait for a slot while the runner waits for the decoder"
            self.held.add(slot)
            self.ring.view(slot, 1, (geometry.height, geometry.width, 3))[0, 0, 0, 0] = seq % 256
            yield Frame(seq, seq, seq * 40, slot)
            slot = (slot + 1) % self.ring.slots

    def release(self, slot: int) -> None:
        self.held.remove(slot)
        self.released.append(slot)

    def report(self) -> DecodeReport:
        count = len(self.plan) if self.reported is None else self.reported
        return DecodeReport(count, count, len(self.plan) - sum(self.plan), 0, count * 40, self.gaps, 0.25, 1000)


@dataclass
class FakeDecoder:
    """Opens `FakeFrames`."""

    plan: Sequence[bool]
    fail_at: int | None = None
    gaps: tuple[DecodeGap, ...] = ()
    reported: int | None = None
    opened: list[FakeFrames] = field(default_factory=list)

    def open(self, request: DecodeRequest, ring: FrameRing) -> FakeFrames:
        frames = FakeFrames(ring, request, self.plan, self.fail_at, self.gaps, self.reported)
        self.opened.append(frames)
        return frames

    def close(self) -> None:
        pass


@dataclass
class FakeInference:
    """Answers in an order of its own choosing with a face whose place tells the frame's number."""

    contract: ModelContract = field(default_factory=model_contract)
    transport: str = "grpc"
    seed: int | None = None
    frame_s: float = 0.02
    error: VideoJobError | None = None
    open: dict[int, NDArray[np.generic]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    abandoned: int = 0
    most_open: int = 0

    def attach(self, ring: FrameRing) -> None:
        pass

    def submit(self, request_id: int, frames: NDArray[np.generic], first_slot: int | None) -> None:
        assert first_slot is not None, "uint8 NHWC frames are passed by their place in the ring"
        self.open[request_id] = frames
        self.sizes.append(len(frames))
        self.most_open = max(self.most_open, sum(len(frames) for frames in self.open.values()))

    def collect(self, timeout_s: float) -> InferenceReply | None:
        if not self.open or (timeout_s == 0.0 and self.seed is None):
            return None
        if self.error is not None:
            self.open.popitem()
            raise self.error
        ids = sorted(self.open)
        chosen = ids[0] if self.seed is None else random.Random(self.seed + len(self.sizes)).choice(ids)
        frames = self.open.pop(chosen)
        return InferenceReply(chosen, heads(frames), 0)

    def abandon(self) -> None:
        self.open.clear()
        self.abandoned += 1

    def statistics(self, timeout_s: float | None = None) -> ServerStatistics:
        return ServerStatistics(100, 100, compute_infer_s=100 * self.frame_s, requests=100)

    def close(self) -> None:
        pass


def heads(frames: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
    """CenterFace heads with one peak a frame, its column is the frame's number modulo the width."""
    count, height, width = frames.shape[:3]
    rows, columns = height // 4, width // 4
    heatmap = np.zeros((count, 1, rows, columns), np.float32)
    numbers = frames[:, 0, 0, 0].astype(int)
    heatmap[np.arange(count), 0, rows // 2, numbers % columns] = 0.9
    scale = np.full((count, 2, rows, columns), 1.0, np.float32)
    offset = np.zeros((count, 2, rows, columns), np.float32)
    return {"heatmap": heatmap, "scale": scale, "offset": offset}


@dataclass
class FakeSink:
    """Remembers commits, and says of each what the test tells it to."""

    commits_seen: list[SegmentCommit] = field(default_factory=list)
    error: VideoJobError | None = None
    outcome: CommitOutcome = CommitOutcome.STORED

    def commit(self, run: RunRecord, commit: SegmentCommit) -> CommitOutcome:
        if self.error is not None:
            raise self.error
        self.commits_seen.append(commit)
        return self.outcome

    def begin(self, run: RunRecord) -> RunRecord:
        raise AssertionError("the runner does not begin runs")

    def finished(self, run: RunRecord) -> bytes | None:
        raise AssertionError("the runner does not read summaries")

    def committed(self, run: RunRecord) -> frozenset[int]:
        raise AssertionError("the runner does not ask what is committed")

    def commits(self, run: RunRecord) -> Iterator[SegmentCommit]:
        raise AssertionError("the runner does not read commits")

    def finalise(self, run: RunRecord, summary: bytes | Mapping[str, Document], notification: str | None) -> bool:
        raise AssertionError("the runner does not finalise")

    def summary(self, uid: str) -> bytes | None:
        raise AssertionError("the runner does not read summaries")

    def finished_run(self, uid: str) -> RunRecord | None:
        raise AssertionError("the runner does not ask what is finished")

    def conflicts(self, run: RunRecord) -> tuple[SegmentConflict, ...]:
        raise AssertionError("the runner does not ask for conflicts")

    def newest(self, uid: str) -> RunRecord | None:
        raise AssertionError("the runner does not look for runs")

    def runs(self) -> Sequence[RunRecord]:
        raise AssertionError("the runner does not list runs")

    def delete(self, uid: str) -> int:
        raise AssertionError("nobody here deletes results")

    def usage(self) -> WriteUsage:
        return WriteUsage()

    def close(self) -> None:
        pass
