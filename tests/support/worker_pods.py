"""A worker's pod between fakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.fakes import FakeClock, FakeDecoder, FakeFrames, FakeInference
from support.job_stores import FakeJobStore
from support.plans import plan_head, planned_job
from support.segments import run_record, run_settings
from videojob.errors import VideoJobError
from videojob.media.protocol.messages import DecodeRequest
from videojob.ports.decoding import FrameRing
from videojob.ports.inputs import FetchedInput
from videojob.video.plan import PlannedVideo
from videojob.worker.pods.batch import Batch, BatchOutcome
from videojob.worker.pods.turn import Turn
from videojob.worker.segment.task import SegmentTools


@dataclass
class ScriptedDecoder(FakeDecoder):
    """Raises what the script says for a segment, once per entry."""

    script: dict[int, list[Exception]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    before: dict[int, Callable[[int], None]] = field(default_factory=dict)

    def open(self, request: DecodeRequest, ring: FrameRing) -> FakeFrames:
        self.asked.append(request.segment.index)
        if request.segment.index in self.before:
            self.before[request.segment.index](request.segment.index)
        left = self.script.get(request.segment.index)
        if left:
            raise left.pop(0)
        return super().open(request, ring)


@dataclass
class Copies:
    """What is here of videos; `missing` is not available."""

    missing: dict[int, VideoJobError] = field(default_factory=dict)
    here: set[int] = field(default_factory=set)
    most: int = 0

    def get(self, video: PlannedVideo) -> FetchedInput:
        if video.video in self.missing:
            raise self.missing[video.video]
        self.here.add(video.video)
        self.most = max(self.most, len(self.here))
        return FetchedInput(video.uri, Path("clip.mp4"), video.version)

    def drop(self, video: PlannedVideo) -> None:
        self.here.discard(video.video)


@dataclass
class Pod:
    """A batch between fakes: a video of three segments, one of two, one of one; all of them are its own."""

    script: dict[int, list[Exception]] = field(default_factory=dict)
    failures: int = 0
    limit: int = 1
    name: str = "pod-1"
    store: FakeJobStore = field(default_factory=FakeJobStore)
    files: Copies = field(default_factory=Copies)
    stopping: Callable[[], bool] = lambda: False
    tools_error: VideoJobError | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    connected: int = 0
    decoder: ScriptedDecoder = field(init=False)

    def __post_init__(self) -> None:
        self.decoder = ScriptedDecoder((True,) * 4, script=self.script)
        self.store.videos = planned_job(cuts=[2, 1, 0])
        self.store.head = plan_head(self.store.videos)

    def tools(self) -> SegmentTools:
        self.connected += 1
        if self.tools_error is not None:
            raise self.tools_error
        return SegmentTools(
            decoder=self.decoder,
            inference=FakeInference(),
            sink=self.store,
            clock=self.clock,
            in_flight_frames=4,
            stopped=lambda: False,
            progress=lambda _: None,
        )

    def work(self) -> BatchOutcome:
        return Batch(
            run=replace(run_record(), segments=6),
            settings=run_settings(),
            videos=self.store.videos,
            segments=[segment for video in self.store.videos for segment in video.segments],
            turn=Turn(self.name, self.failures, self.limit),
            store=self.store,
            files=self.files,
            tools=self.tools,
            stopping=self.stopping,
            clock=self.clock,
        ).work()
