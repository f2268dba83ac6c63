from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet as pq

from support.processes import dead_process_id
from videojob.adapters.files.parquet import DetectionsFile, detections_table
from videojob.errors import SinkError
from videojob.vision.tensors import Detections

LABELS = ("face", "car")


def detections(count: int, *, first_class: int = 0, tracks: list[int] | None = None) -> Detections:
    return Detections(
        np.arange(4 * count, dtype=np.float32).reshape(count, 4) / 2,
        np.linspace(0.9, 0.1, count, dtype=np.float32),
        (np.arange(count, dtype=np.int32) + first_class) % 3,
        None if tracks is None else np.array(tracks, np.int32),
    )


def written(path: Path, *frames: tuple[int, Detections], video: int = 0) -> Path:
    file = DetectionsFile(path, video=video, uri="file:///a.mp4", labels=LABELS)
    """As the segment runner does it."""
    try:
        for time_ms, found in frames:
            file.frame(time_ms, None, found)
        file.finish()
    except SinkError:
        file.discard()
        raise
    file.commit()
    return path


def test_one_row_per_box_with_label_and_track(tmp_path: Path) -> None:
    path = written(
        tmp_path / "video-0000" / "seg-000000.parquet",
        (0, detections(1)),
        (40, Detections.empty()),
        (80, detections(2, first_class=1, tracks=[7, -1])),
    )
    assert pq.read_table(path).to_pylist() == [
        _row(0, 0, "face", 0.9, (0.0, 0.5, 1.0, 1.5), None),
        _row(80, 1, "car", 0.9, (0.0, 0.5, 1.0, 1.5), 7),
        _row(80, 2, "class 2", 0.1, (2.0, 2.5, 3.0, 3.5), None),
    ]
    assert (pq.read_schema(path).metadata or {})[b"uri"] == b"file:///a.mp4"


def _row(
    time_ms: int, class_id: int, label: str, score: float, box: tuple[float, float, float, float], track: int | None
) -> dict[str, object]:
    return {
        "video": 0,
        "time_ms": time_ms,
        "class_id": class_id,
        "label": label,
        "score": float(np.float32(score)),
        "x_min": box[0],
        "y_min": box[1],
        "x_max": box[2],
        "y_max": box[3],
        "track_id": track,
    }


def test_nothing_is_visible_before_the_commit(tmp_path: Path) -> None:
    file = DetectionsFile(tmp_path / "a.parquet", video=0, uri="", labels=LABELS)
    for time_ms in range(0, 4000, 40):
        file.frame(time_ms, None, detections(1000))
    assert list(tmp_path.glob("*.parquet")) == []
    file.finish()
    assert list(tmp_path.glob("*.parquet")) == []
    file.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 100_000


@pytest.mark.parametrize("finished", [False, True])
def test_discarded_segment_leaves_what_was_there_before(finished: bool, tmp_path: Path) -> None:
    before = written(tmp_path / "a.parquet", (0, detections(3))).read_bytes()
    file = DetectionsFile(tmp_path / "a.parquet", video=0, uri="", labels=LABELS)
    for time_ms in range(0, 4000, 40):
        file.frame(time_ms, None, detections(1000))
    if finished:
        file.finish()
    file.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert (tmp_path / "a.parquet").read_bytes() == before
    file.discard()


def test_segment_without_boxes_is_an_empty_file(tmp_path: Path) -> None:
    written(tmp_path / "a.parquet", (0, Detections.empty()))
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0


def test_same_detections_make_the_same_bytes(tmp_path: Path) -> None:
    frames = [(time_ms, detections(50, tracks=list(range(50)))) for time_ms in range(0, 400, 40)]
    one, other = written(tmp_path / "one.parquet", *frames), written(tmp_path / "other.parquet", *frames)
    assert one.read_bytes() == other.read_bytes()


def test_rerun_replaces_the_file_and_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    written(tmp_path / "a.parquet", (0, detections(3)))
    (tmp_path / f".a.parquet.{dead_process_id()}.part").write_bytes(b"half a fi")
    alive = tmp_path / f".a.parquet.{os.getppid()}.part"
    alive.write_bytes(b"half a fi")
    written(tmp_path / "a.parquet", (0, detections(2)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [alive.name, "a.parquet"]
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 2


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SinkError, match="cannot be written") as caught:
        written(tmp_path / "taken" / "a.parquet", (0, detections(1)))
    assert caught.value.uri == str(tmp_path / "taken" / "a.parquet")


def test_no_frames_make_an_empty_table() -> None:
    assert detections_table([], 0, LABELS).num_rows == 0
