"""Per-frame files of real runs: complete, of this plan alone, whatever was asked before and whenever it was killed."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from pyarrow import parquet as pq

from support.clips import looped
from support.command import Finished, manifest, running, videojob
from support.samples import sample_path
from videojob.local.triton.server import EmbeddedTriton

SPARSE: dict[str, Any] = {"sampling": {"everyNthFrame": 40}, "compute": {"segmentSeconds": 20}}
FRAMES_PER_LOOP = 3
Run = Callable[..., Finished]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two videos: one of two segments, one of one."""
    folder = tmp_path_factory.mktemp("clips")
    return [looped(sample_path("carphone.mp4"), folder / f"{times}.mp4", times) for times in (10, 2)]


@pytest.fixture(scope="module")
def run(face_server: EmbeddedTriton) -> Run:
    """Runs with one server and one worker."""
    return partial(run_to_end, face_server.grpc_address)


def run_to_end(server: str, folder: Path, clips: list[Path], **results: dict[str, str]) -> Finished:
    """A run that succeeds; all share one output folder."""
    job = manifest(folder, *clips, results=results, **SPARSE)
    done = videojob("run", job, "--output", folder / "out", "--json", "--triton-url", server, "--workers", "1")
    assert done.code == 0, done.err + done.out
    return done


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def previews(document: dict[str, Any]) -> dict[str, int]:
    """Frames by joined preview."""
    return {path.name: frames(path) for path in sorted(Path(document["preview"]).glob("*.mp4"))}


def boxes(document: dict[str, Any]) -> int:
    """Rows of all files in the folder that the run announced."""
    return sum(pq.read_metadata(path).num_rows for path in Path(document["detections"]).rglob("*.parquet"))


def counted(document: dict[str, Any]) -> int:
    """Boxes by the aggregated results."""
    return sum(item["detections"] for item in document["summary"]["classes"])


def segment_files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("seg-*"))


def test_files_are_those_of_the_manifest_as_it_is_now(run: Run, clips: list[Path], tmp_path: Path) -> None:
    first = run(tmp_path, clips, detections={}, preview={"mode": "boxes"}).document
    assert boxes(first) == counted(first) > 0
    assert previews(first) == {"video-0000.mp4": 10 * FRAMES_PER_LOOP, "video-0001.mp4": 2 * FRAMES_PER_LOOP}
    names = ["video-0000/seg-000000", "video-0000/seg-000001", "video-0001/seg-000002"]
    assert segment_files(first["preview"]) == [f"{name}.mp4" for name in names]

    # Asked of a finished job: its segments run again for the files alone.
    blurred = run(tmp_path, clips, detections={}, preview={"mode": "blur"}).document
    assert (blurred["segments_run"], blurred["segments_kept"]) == (3, 0)
    assert blurred["summary"] == first["summary"]
    assert Path(blurred["preview"]) != Path(first["preview"])
    assert previews(blurred) == previews(first)
    assert (blurred["detections"], boxes(blurred)) == (first["detections"], boxes(first))

    fewer = run(tmp_path, clips[1:], detections={}, preview={"mode": "blur"}).document
    assert previews(fewer) == {"video-0000.mp4": 2 * FRAMES_PER_LOOP}
    assert segment_files(fewer["detections"]) == ["video-0000/seg-000000.parquet"]
    assert boxes(fewer) == counted(fewer) > 0


def test_a_run_that_was_killed_has_complete_files_after_the_next(
    run: Run, clips: list[Path], tmp_path: Path, face_server: EmbeddedTriton
) -> None:
    inputs = [Path(shutil.copy(clips[0], tmp_path / f"{number}.mp4")) for number in range(3)]
    results = {"detections": {}, "preview": {"mode": "boxes"}}
    job = manifest(tmp_path, *inputs, results=results, **SPARSE)
    where = ("--output", tmp_path / "out", "--triton-url", face_server.grpc_address)
    with running("run", job, *where, "--workers", "1") as process:
        assert process.stderr is not None
        assert any("0.mp4: done" in line for line in process.stderr)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(children, timeout=20)
    done = run(tmp_path, inputs, **results).document
    assert done["segments_kept"] >= 2
    assert done["segments_kept"] + done["segments_run"] == 6
    assert previews(done) == {f"video-{video:04d}.mp4": 10 * FRAMES_PER_LOOP for video in range(3)}
    assert boxes(done) == counted(done) > 0
    assert [path for path in (tmp_path / "out").rglob("*.part") if "seg-" in path.name] == []
