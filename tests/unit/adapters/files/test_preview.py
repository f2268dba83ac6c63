"""Annotated previews: what is drawn, when a file counts, and joining segments whose times are anything but regular."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from support.disk import files_end_at
from support.processes import dead_process_id
from videojob.adapters.files.preview import PreviewMode, PreviewStyle, SegmentPreview, annotate, join_previews
from videojob.errors import SinkError
from videojob.vision.tensors import Detections, Geometry

GEOMETRY = Geometry(
    source_width=320,
    source_height=180,
    width=160,
    height=96,
    scale_x=0.5,
    scale_y=0.5,
    pad_x=0,
    pad_y=3,
)
NOTHING = Detections.empty()


def face(x_min: float, y_min: float, x_max: float, y_max: float) -> Detections:
    return Detections(
        np.array([[x_min, y_min, x_max, y_max]], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int32)
    )


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (96, 160, 3), dtype=np.uint8)


def preview(path: Path, mode: PreviewMode = "boxes", geometry: Geometry = GEOMETRY) -> SegmentPreview:
    return SegmentPreview(path, geometry, PreviewStyle(mode, ("face",), "RGB"))


def written(path: Path, times_ms: Sequence[int], geometry: Geometry = GEOMETRY) -> Path:
    """As the segment runner does it."""
    writer = preview(path, geometry=geometry)
    try:
        for number, time_ms in enumerate(times_ms):
            writer.frame(time_ms, picture(number), NOTHING)
        writer.finish()
    except SinkError:
        writer.discard()
        raise
    writer.commit()
    return path


def times_ms(path: Path) -> list[int]:
    """Of every frame, decoded by the book: they must come out in order, from packets that lie in order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        dts = [packet.dts for packet in container.demux(stream) if packet.dts is not None]
        assert all(one < other for one, other in pairwise(dts))
    with av.open(str(path)) as container:
        return [round(frame.time * 1000) for frame in container.decode(video=0)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


REGULAR = range(0, 30_000, 200)
IRREGULAR = (30_000, 38_000, 46_000, 47_000, 47_001, 52_000, 52_500, 59_900)


@pytest.mark.parametrize(
    "segments",
    [
        [REGULAR, IRREGULAR],
        [IRREGULAR, range(60_000, 70_000, 33)],
        [[0], [30_000], [60_000]],
        [[], REGULAR, [], IRREGULAR, []],
        [range(0, 900, 300), range(10_000, 900_000, 100_000), range(900_001, 900_100, 3)],
    ],
    ids=["sparse after dense", "dense after sparse", "one frame each", "segments without a frame", "any"],
)
def test_joined_previews_show_every_frame_at_its_time(segments: list[Sequence[int]], tmp_path: Path) -> None:
    parts = [written(tmp_path / f"seg-{at:06d}.mp4", times) for at, times in enumerate(segments)]
    assert join_previews(parts, tmp_path / "joined.mp4")
    assert times_ms(tmp_path / "joined.mp4") == [time_ms for times in segments for time_ms in times]


def test_frames_of_one_millisecond_on_both_sides_of_a_border_are_both_kept(tmp_path: Path) -> None:
    parts = [written(tmp_path / "a.mp4", (0, 40, 80)), written(tmp_path / "b.mp4", (80, 120))]
    assert join_previews(parts, tmp_path / "joined.mp4")
    assert times_ms(tmp_path / "joined.mp4") == [0, 40, 80, 80, 120]


def test_segments_without_a_frame_leave_a_file_that_says_they_were_done(tmp_path: Path) -> None:
    parts = [written(tmp_path / "a.mp4", ()), written(tmp_path / "b.mp4", ())]
    assert [path.stat().st_size for path in parts] == [0, 0]
    assert not join_previews(parts, tmp_path / "joined.mp4")
    assert not join_previews([], tmp_path / "joined.mp4")
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


def test_many_parts_are_joined_one_at_a_time(tmp_path: Path) -> None:
    parts = [written(tmp_path / f"{at:03d}.mp4", (at * 1000, at * 1000 + 500)) for at in range(60)]
    open_before = len(names(Path("/proc/self/fd")))
    assert join_previews(parts, tmp_path / "joined.mp4")
    assert len(names(Path("/proc/self/fd"))) == open_before
    assert times_ms(tmp_path / "joined.mp4") == list(range(0, 60_000, 500))


def test_a_joined_preview_is_made_again_only_when_a_part_is_newer(tmp_path: Path) -> None:
    part, joined = written(tmp_path / "a.mp4", (0, 40)), tmp_path / "joined.mp4"
    join_previews([part], joined)
    first = joined.stat().st_ino
    assert join_previews([part], joined)
    assert joined.stat().st_ino == first
    later_ns = joined.stat().st_mtime_ns + 1_000_000_000
    written(part, (0, 40, 80))
    os.utime(part, ns=(later_ns, later_ns))
    assert join_previews([part], joined)
    assert times_ms(joined) == [0, 40, 80]


@pytest.mark.parametrize("damage", ["cut off", "of another size", "gone"])
def test_a_part_that_cannot_be_joined_is_named_and_nothing_is_left(damage: str, tmp_path: Path) -> None:
    good, bad = written(tmp_path / "a.mp4", (0, 40)), tmp_path / "b.mp4"
    if damage == "cut off":
        bad.write_bytes(good.read_bytes()[:200])
    elif damage == "of another size":
        written(bad, (80,), Geometry(320, 180, 80, 48, 0.25, 0.25, pad_x=0, pad_y=1))
    with pytest.raises(SinkError) as caught:
        join_previews([good, bad], tmp_path / "joined.mp4")
    assert str(bad) in str(caught.value)
    assert not [name for name in names(tmp_path) if "joined" in name]


def test_nothing_is_visible_before_the_commit(tmp_path: Path) -> None:
    writer = preview(tmp_path / "video-0000" / "a.mp4")
    for time_ms in range(0, 4000, 40):
        writer.frame(time_ms, picture(time_ms), NOTHING)
    assert list(tmp_path.rglob("*.mp4")) == []
    writer.finish()
    assert list(tmp_path.rglob("*.mp4")) == []
    writer.commit()
    assert names(tmp_path / "video-0000") == ["a.mp4"]


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("frames", [0, 3, 100])
def test_a_discarded_segment_leaves_no_file(frames: int, finished: bool, tmp_path: Path) -> None:
    written(tmp_path / "a.mp4", (0, 40))
    before = (tmp_path / "a.mp4").read_bytes()
    writer = preview(tmp_path / "a.mp4")
    for number in range(frames):
        writer.frame(number * 40, picture(number), NOTHING)
    if finished:
        writer.finish()
    writer.discard()
    assert names(tmp_path) == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == before


def test_parts_of_dead_writers_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead, alive = tmp_path / f".a.mp4.{dead_process_id()}.part", tmp_path / f".a.mp4.{os.getppid()}.part"
    other = tmp_path / f".b.mp4.{dead_process_id()}.part"
    for path in (dead, alive, other):
        path.write_bytes(b"half a fi")
    written(tmp_path / "a.mp4", (0, 40))
    assert names(tmp_path) == sorted(["a.mp4", alive.name, other.name])


@pytest.mark.parametrize("size_bytes", [0, 40, 30_000, 300_000], ids=["at once", "header", "frames", "index"])
def test_a_full_disk_is_an_error_that_names_the_file(size_bytes: int, tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.mp4", range(0, 1200, 40)).stat().st_size
    limit = min(size_bytes, whole - 20)
    with files_end_at(limit), pytest.raises(SinkError, match="cannot be written: File too large") as caught:
        written(tmp_path / "a.mp4", range(0, 1200, 40))
    assert caught.value.uri == str(tmp_path / "a.mp4")
    assert names(tmp_path) == ["whole.mp4"]


def test_a_full_disk_stops_the_joining_with_nothing_left(tmp_path: Path) -> None:
    parts = [written(tmp_path / "a.mp4", range(0, 800, 40)), written(tmp_path / "b.mp4", range(800, 1600, 40))]
    with files_end_at(parts[0].stat().st_size + 1000), pytest.raises(SinkError, match="File too large") as caught:
        join_previews(parts, tmp_path / "joined.mp4")
    assert caught.value.uri == str(tmp_path / "joined.mp4")
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SinkError, match="cannot be written") as caught:
        written(tmp_path / "taken" / "a.mp4", (0,))
    assert caught.value.uri == str(tmp_path / "taken" / "a.mp4")


def test_the_same_frames_make_the_same_bytes(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a.mp4", range(0, 400, 40)), written(tmp_path / "b.mp4", range(0, 400, 40))
    assert one.read_bytes() == other.read_bytes()


def test_a_gated_frame_repeats_the_picture_before_it(tmp_path: Path) -> None:
    writer = preview(tmp_path / "a.mp4")
    for time_ms, pixels in ((0, None), (40, picture()), (80, None), (80, picture(1)), (120, None)):
        writer.frame(time_ms, pixels, NOTHING)
    writer.finish()
    writer.commit()
    assert times_ms(tmp_path / "a.mp4") == [40, 80, 120]


def test_the_preview_shows_the_picture_without_its_padding(tmp_path: Path) -> None:
    with av.open(str(written(tmp_path / "a.mp4", (0,)))) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (160, 90)


def test_blurring_leaves_nothing_of_a_face_and_all_of_the_rest() -> None:
    before = picture()
    after = annotate(before, face(40, 20, 100, 70), PreviewStyle("blur", ("face",), "RGB"))
    inside = after[20:70, 40:100]
    assert inside.astype(float).std() < before[20:70, 40:100].astype(float).std() / 5
    rest = np.ones((96, 160), bool)
    rest[20:70, 40:100] = False
    assert (after[rest] == before[rest]).all()


@pytest.mark.parametrize("mode", ["boxes", "blur"])
@pytest.mark.parametrize("box", [(-50, -50, 20, 20), (150, 90, 400, 400), (30, 30, 30, 60), (200, 200, 300, 300)])
def test_boxes_over_the_edge_or_without_area_do_no_harm(mode: PreviewMode, box: tuple[int, ...]) -> None:
    before = picture()
    after = annotate(before, face(*box), PreviewStyle(mode, (), "RGB"))
    assert after.shape == before.shape
    assert (after[40:60, 60:100] == before[40:60, 60:100]).all()


def test_drawing_marks_the_edges_and_leaves_the_inside() -> None:
    before = np.full((96, 160, 3), 128, np.uint8)
    after = annotate(before, face(40, 30, 100, 70), PreviewStyle("boxes", ("face",), "RGB"))
    assert (after[30, 50:90] != 128).any(axis=-1).all()
    assert (after[35:65, 45:95] == 128).all()
    assert (before == 128).all()
