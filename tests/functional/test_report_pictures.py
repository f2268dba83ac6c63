"""Pictures of peaks come from the right frame of a real video, and a missing one never stops a report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from support.fakes import FakeClock
from support.page import read_page
from support.reports import job, run_facts
from support.samples import sample_path
from support.videos import Spec, write_video
from videojob.adapters.clock import SystemClock
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import ResultsIncomplete, SetupError
from videojob.local.report import write_report
from videojob.local.thumbnails import peak_pictures, region_around
from videojob.media.parent.probe import probe
from videojob.results.aggregate.segment_results import (
    ClassStats,
    Presence,
    RunRecord,
    SegmentCommit,
    SegmentResult,
    Window,
)
from videojob.results.aggregate.summary import VideoEntry, summarise
from videojob.results.report import Peak
from videojob.results.run_facts import RunFacts, VideoFacts
from videojob.results.stored.codec import digest
from videojob.results.stored.summary_codec import encode_summary

BOX = (250, 60, 330, 160)


@pytest.fixture(scope="module")
def bikes() -> VideoFacts:
    path = sample_path("bikes.mp4")
    return VideoFacts(0, "bikes.mp4", path=str(path), info=probe(path, "bikes.mp4").as_dict())


def peak(time_ms: int, video: int = 0) -> Peak:
    return Peak(video, 0, "face", time_ms, 900_000, BOX)


def frame_at(path: Path, time_ms: int) -> NDArray[np.uint8]:
    """The frame that is shown at a time, by a plain decoding from the start."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            if round(frame.time * 1000) == time_ms:
                return np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
    raise AssertionError(f"no frame at {time_ms} ms")


def pixels(jpeg: bytes | None) -> NDArray[np.uint8]:
    assert jpeg is not None
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded.astype(np.uint8)


@pytest.mark.parametrize("time_ms", [0, 40, 1480, 5000, 9960])
def test_the_picture_is_that_of_the_peaks_own_frame(bikes: VideoFacts, time_ms: int) -> None:
    (picture,) = peak_pictures([peak(time_ms)], [bikes], SystemClock())
    left, top, right, bottom = picture.region
    found = pixels(picture.jpeg)
    assert found.shape[0] / found.shape[1] == pytest.approx((bottom - top) / (right - left), rel=0.03)
    height, width = found.shape[:2]
    path = sample_path("bikes.mp4")
    differences = {}
    for other_ms in {time_ms, max(0, time_ms - 400), min(9960, time_ms + 400)}:
        wanted = cv2.resize(frame_at(path, other_ms)[top:bottom, left:right], (width, height))
        differences[other_ms] = float(np.abs(found.astype(int) - wanted.astype(int)).mean())
    assert min(differences, key=lambda key: differences[key]) == time_ms
    assert differences[time_ms] < 8


def test_every_way_to_have_no_picture_is_said(bikes: VideoFacts, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(str(bikes.path), copy)
    with copy.open("ab") as file:
        file.write(b"more")
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"x" * copy.stat().st_size)
    info = dict(bikes.info or {})
    videos = [
        replace(bikes, video=0, path=str(tmp_path / "gone.mp4")),
        replace(bikes, video=1, path=str(copy)),
        replace(bikes, video=2, path=str(junk), info=info | {"size_bytes": junk.stat().st_size}),
        replace(bikes, video=3, path=None),
        replace(bikes, video=4),
    ]
    peaks = [peak(40, video) for video in range(4)] + [peak(99_000, 4), peak(40, 5), peak(40, 4)]
    found = peak_pictures(peaks, videos, SystemClock())
    assert [item.missing.split(":")[0] for item in found] == [
        "The video no longer exists.",
        "The video has changed since the run.",
        "InputNotVideo",
        "This machine does not know where the video is.",
        "Left out",
        "This machine does not know where the video is.",
        "",
    ]
    assert [item.peak for item in found] == peaks


class SlowClock:
    """Every reading of it takes 15 seconds."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now_s(self) -> float:
        return self.time_s

    def monotonic_s(self) -> float:
        self.time_s += 15.0
        return self.time_s


def test_pictures_stop_when_their_time_is_up(bikes: VideoFacts) -> None:
    found = peak_pictures([peak(40), peak(80), peak(120)], [bikes], SlowClock(), budget_s=20.0)
    assert [bool(item.jpeg) for item in found] == [True, False, False]
    assert "took too long" in found[2].missing


EDITS: dict[str, dict[str, object]] = {
    "no time base": {"time_base": None},
    "time base of zero": {"time_base": [0, 1]},
    "time base without sense": {"time_base": [1, 0]},
    "words for numbers": {"start_pts": "soon", "duration_ms": []},
    "no width": {"width": 0},
    "absurd width": {"width": 2**62, "height": 1},
    "negative height": {"height": -272},
    "cuts that are none": {"cut_pts": 7},
    "rotation": {"rotation_deg": "up"},
}


@pytest.mark.parametrize("changes", EDITS.values(), ids=EDITS)
def test_an_edited_record_costs_its_own_picture_and_no_other(changes: dict[str, object], bikes: VideoFacts) -> None:
    edited = replace(bikes, info=dict(bikes.info or {}) | changes)
    short = replace(bikes, video=1, info={"uri": "bikes.mp4"})
    found = peak_pictures([peak(40), peak(40, 1), peak(40, 2)], [edited, short, replace(bikes, video=2)], SystemClock())
    assert [bool(item.jpeg) for item in found] == [False, False, True]
    assert all(item.missing for item in found[:2])


def test_a_picture_far_behind_its_keyframe_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Spec(size=(640, 360), frames=150, gop=150))
    long = VideoFacts(0, "a.mp4", path=str(path), info=probe(path, "a.mp4").as_dict())
    (left_out,) = peak_pictures([peak(5_960)], [long], FakeClock(), budget_s=0.005)
    assert "DecodeTimeout" in left_out.missing
    (picture,) = peak_pictures([peak(5_960)], [long], FakeClock(), budget_s=100.0)
    assert picture.jpeg


@pytest.mark.parametrize(
    ("box", "size", "region"),
    [
        ((900, 500, 1000, 600), (1920, 1080), (594, 350, 1306, 750)),
        ((0, 0, 10, 10), (1920, 1080), (0, 0, 576, 324)),
        ((1900, 1060, 1920, 1080), (1920, 1080), (1344, 756, 1920, 1080)),
        ((0, 0, 1920, 1080), (1920, 1080), (0, 0, 1920, 1080)),
        ((100, 100, 500, 1800), (1080, 1920), (0, 100, 1080, 1800)),
        ((0, 0, 1, 1), (1, 1), (0, 0, 1, 1)),
        ((0, 0, 4000, 10), (4000, 16), (0, 0, 4000, 16)),
    ],
    ids=["middle", "corner", "other corner", "whole", "tall in a portrait", "one pixel", "very wide"],
)
def test_the_region_lies_in_the_picture_around_the_box(
    box: tuple[int, int, int, int], size: tuple[int, int], region: tuple[int, int, int, int]
) -> None:
    found = region_around(box, size)
    assert found == region
    assert 0 <= found[0] <= box[0]
    assert 0 <= found[1] <= box[1]
    assert box[2] <= found[2] <= size[0]
    assert box[3] <= found[3] <= size[1]


def stored(sink: SqliteSink, *, finished: bool = True) -> RunRecord:
    """A run over bikes.mp4 with one face."""
    presence = Presence(0, 1200, 5400, 1480, 890_000, BOX)
    windows = (Window(0, 250, (ClassStats(0, 56, 56, 1, 43_000_000, 890_000),)),)
    result = SegmentResult(0, 0, None, None, 250, 250, 0, windows, (presence,))
    run = sink.begin(RunRecord("uid", "default", "entrance-hall", "plan", 1))
    sink.commit(run, SegmentCommit(result, digest(result)))
    if finished:
        summary = summarise(job((VideoEntry("bikes.mp4", 10_000, 640, 272),)), [result])
        sink.finalise(run, encode_summary(summary), None)
    return run


def facts_of(bikes: VideoFacts) -> RunFacts:
    return run_facts(250, videos=(bikes,))


def test_a_report_is_written_from_the_store_with_its_picture(bikes: VideoFacts, tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path / "results.sqlite3")
    try:
        path = write_report(sink, stored(sink), facts_of(bikes), SystemClock(), tmp_path / "made" / "report.html")
    finally:
        sink.close()
    page = read_page(path.read_text(encoding="utf-8"))
    assert len(page.all("image")) == 1
    assert str(bikes.path) not in page.text
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_a_run_without_a_summary_has_no_report(bikes: VideoFacts, tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path / "results.sqlite3")
    try:
        with pytest.raises(ResultsIncomplete, match="entrance-hall is not finished"):
            write_report(sink, stored(sink, finished=False), facts_of(bikes), SystemClock(), tmp_path / "report.html")
    finally:
        sink.close()
    assert not (tmp_path / "report.html").exists()


def test_a_report_that_cannot_be_written_says_where(bikes: VideoFacts, tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path / "results.sqlite3")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    try:
        with pytest.raises(SetupError, match="cannot be written to"):
            write_report(sink, stored(sink), facts_of(bikes), SystemClock(), tmp_path / "file" / "report.html")
    finally:
        sink.close()
