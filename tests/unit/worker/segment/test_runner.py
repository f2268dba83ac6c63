"""The segment runner with fakes at its ports: order, bounds, errors, stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.fakes import FakeClock, FakeDecoder, FakeInference, FakeSink
from support.segments import model_contract, run_settings, segment_task
from videojob.errors import (
    Cancelled,
    InferenceTimeout,
    InputChanged,
    ManifestError,
    ProcessingFault,
    SinkUnavailable,
    VideoJobError,
)
from videojob.media.protocol.messages import DecodeGap
from videojob.ports.results import CommitOutcome
from videojob.results.aggregate.segment_results import Gap
from videojob.vision.tensors import Detections, PixelInput
from videojob.worker.segment.runner import SegmentRunner
from videojob.worker.segment.task import (
    FileStamp,
    FrameObserver,
    ObserverFactory,
    Progress,
    SegmentOutcome,
    SegmentTools,
    file_stamp,
    no_observers,
)

EVERY = (True,) * 40


@dataclass
class Bench:
    """A runner between fakes."""

    decoder: FakeDecoder = field(default_factory=lambda: FakeDecoder(EVERY))
    inference: FakeInference = field(default_factory=FakeInference)
    sink: FakeSink = field(default_factory=FakeSink)
    in_flight: int = 6
    stopped: Callable[[], bool] = lambda: False
    observers: ObserverFactory = no_observers
    told: list[Progress] = field(default_factory=list)
    path: Path = Path("clip.mp4")
    stamp: FileStamp | None = None

    def run(self, **settings: object) -> SegmentOutcome:
        tools = SegmentTools(
            decoder=self.decoder,
            inference=self.inference,
            sink=self.sink,
            clock=FakeClock(),
            in_flight_frames=self.in_flight,
            stopped=self.stopped,
            progress=self.told.append,
            observers=self.observers,
        )
        runner = SegmentRunner(tools)
        try:
            task = segment_task(3)
            return runner.run(replace(task, settings=run_settings(**settings), path=self.path, stamp=self.stamp))
        finally:
            runner.close()


class Recorder:
    """A FrameObserver that remembers, also how many commits the sink had seen."""

    def __init__(self, sink: FakeSink | None = None) -> None:
        self.sink = sink or FakeSink()
        self.finished_after = self.visible_after = -1
        self.times: list[int] = []
        self.with_pixels: list[bool] = []
        self.ended = ""

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:
        self.times.append(time_ms)
        self.with_pixels.append(pixels is not None)

    def finish(self) -> None:
        self.finished_after = len(self.sink.commits_seen)

    def commit(self) -> None:
        self.visible_after = len(self.sink.commits_seen)
        self.ended = "commit"

    def discard(self) -> None:
        self.ended = "discard"


def recorded_by(recorder: Recorder) -> ObserverFactory:
    def observe(task: object, geometry: object) -> list[FrameObserver]:
        return [recorder]

    return observe


def test_every_frame_is_in_the_committed_result() -> None:
    bench = Bench()
    outcome = bench.run()
    result = outcome.commit.result
    assert (result.segment, result.frames_decoded, result.frames_selected, result.frames_gated) == (3, 40, 40, 0)
    assert sum(stats.detections for window in result.windows for stats in window.classes) == 40
    assert bench.sink.commits_seen == [outcome.commit]


def test_the_window_of_open_frames_is_used_and_never_passed() -> None:
    bench = Bench(in_flight=5)
    bench.run()
    assert bench.inference.most_open == 5


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("in_flight", [1, 2, 7])
@pytest.mark.parametrize("frame_s", [0.02, 0.0001], ids=["slow model", "fast model"])
def test_the_result_does_not_depend_on_order_bounds_or_grouping(seed: int, in_flight: int, frame_s: float) -> None:
    plan = tuple(number % 3 != 1 for number in range(50))
    expected = Bench(FakeDecoder(plan)).run().commit.digest
    inference = FakeInference(seed=seed, frame_s=frame_s)
    assert Bench(FakeDecoder(plan), inference, in_flight=in_flight).run().commit.digest == expected


def test_frames_of_a_slow_model_go_alone_and_those_of_a_fast_one_in_groups() -> None:
    slow, fast = Bench(), Bench(inference=FakeInference(frame_s=0.0001), in_flight=32)
    slow.run()
    fast.run()
    assert set(slow.inference.sizes) == {1}
    assert max(fast.inference.sizes) == 8


def test_a_still_frame_repeats_its_neighbour_and_is_not_sent() -> None:
    bench = Bench(FakeDecoder((True, False, False, True)))
    result = bench.run().commit.result
    assert (result.frames_selected, result.frames_gated) == (4, 2)
    assert sum(bench.inference.sizes) == 2
    assert sum(stats.detections for window in result.windows for stats in window.classes) == 4


def test_a_track_lives_on_through_still_frames_and_begins_at_its_first_sighting() -> None:
    # The fake's face is back in its place with frame 160, after 6.4 s: longer than the presence gap of 2 s.
    bench = Bench(FakeDecoder((True, *[False] * 159, True)))
    [track] = bench.run(track=True).commit.result.tracks
    assert (track.first_ms, track.last_ms) == (0, 6400)
    assert track.first_box == track.last_box


def test_every_slot_is_given_back() -> None:
    bench = Bench()
    bench.run()
    (frames,) = bench.decoder.opened
    assert frames.held == set()
    assert len(frames.released) == 40


def test_gaps_of_the_decoder_are_in_the_result() -> None:
    bench = Bench(FakeDecoder(EVERY, gaps=(DecodeGap(100, 400, "InputCorrupt"),)))
    assert bench.run().commit.result.gaps == (Gap(100, 400, "InputCorrupt"),)


def test_a_stop_drops_the_segment_with_nothing_stored() -> None:
    answers: Iterator[bool] = iter([False] * 20)
    bench = Bench(stopped=lambda: next(answers, True))
    with pytest.raises(Cancelled) as caught:
        bench.run()
    assert caught.value.segment == 3
    assert bench.sink.commits_seen == []
    assert bench.inference.abandoned == 1


@pytest.mark.parametrize(
    "bench",
    [
        Bench(decoder=FakeDecoder(EVERY, fail_at=12)),
        Bench(inference=FakeInference(error=InferenceTimeout("late"))),
        Bench(sink=FakeSink(error=SinkUnavailable("away"))),
    ],
    ids=["decoder", "server", "sink"],
)
def test_an_error_names_its_place_and_leaves_nothing_behind(bench: Bench) -> None:
    recorder = Recorder()
    bench.observers = recorded_by(recorder)
    with pytest.raises(VideoJobError) as caught:
        bench.run()
    assert (caught.value.uri, caught.value.segment) == ("clip.mp4", 3)
    assert bench.inference.abandoned == 1
    assert recorder.ended == "discard"


def test_a_class_that_the_model_lacks_is_refused_before_any_work() -> None:
    bench = Bench()
    with pytest.raises(ManifestError, match="no class 'cat'"):
        bench.run(classes=("cat",))
    assert bench.inference.sizes == []


def test_observers_see_frames_in_order() -> None:
    recorder = Recorder()
    bench = Bench(FakeDecoder((True, False, True)), FakeInference(seed=4), observers=recorded_by(recorder))
    bench.run()
    assert recorder.times == [0, 40, 80]
    assert recorder.with_pixels == [True, False, True]


@pytest.mark.parametrize(
    ("outcome", "ended"),
    [
        (CommitOutcome.STORED, "commit"),
        (CommitOutcome.ALREADY_STORED, "commit"),
        (CommitOutcome.OTHER_KEPT, "discard"),
    ],
)
def test_files_are_complete_before_the_result_is_stored_and_seen_when_it_is(outcome: CommitOutcome, ended: str) -> None:
    sink = FakeSink(outcome=outcome)
    recorder = Recorder(sink)
    Bench(sink=sink, observers=recorded_by(recorder)).run()
    assert recorder.finished_after == 0
    assert (recorder.ended, recorder.visible_after) == (ended, 1 if ended == "commit" else -1)


def test_the_last_progress_tells_the_whole() -> None:
    bench = Bench(FakeDecoder((True, False, True)))
    bench.run()
    assert bench.told[-1] == Progress(segment=3, video=0, frames_done=3, frames_inferred=2)


def test_where_the_time_went_is_measured() -> None:
    timings = Bench().run().commit.timings
    assert timings.decode_s == 0.25
    assert timings.peak_rss_bytes == 1000
    assert timings.wall_s > timings.wait_s > 0
    assert timings.transport_s > 0


def test_a_file_that_was_replaced_is_noticed_and_nothing_is_stored(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"one")
    stamp = file_stamp(clip)
    clip.write_bytes(b"another")
    bench = Bench(path=clip, stamp=stamp)
    with pytest.raises(InputChanged):
        bench.run()
    assert bench.sink.commits_seen == []


def test_frames_that_got_lost_on_the_way_are_noticed() -> None:
    bench = Bench(FakeDecoder(EVERY, reported=41))
    with pytest.raises(ProcessingFault, match="sent 41 frames"):
        bench.run()


def test_a_large_picture_gets_fewer_slots_instead_of_more_memory() -> None:
    pixels = PixelInput("frames", "UINT8", "NHWC", "RGB", long_side=4096)
    bench = Bench(inference=FakeInference(contract=model_contract(pixels=pixels)), in_flight=200)
    bench.run()
    (frames,) = bench.decoder.opened
    assert frames.ring.slots * frames.ring.slot_bytes <= 128 << 20
