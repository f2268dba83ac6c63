"""The decoder process itself: locked in, bounded in memory, patient with a slow consumer, gone with its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from support.clips import looped
from support.decoding import decode, request_for, ring_for, same_size
from support.samples import sample_path
from support.videos import Spec, write_video
from videojob.errors import DecoderCrashed, SetupError
from videojob.kube.render.pods import decoder_bytes
from videojob.media.parent import child
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.parent.probe import probe
from videojob.planning.installation import WorkerSettings
from videojob.video.info import Sampling, VideoInfo
from videojob.video.segments import cut
from videojob.vision.tensors import Geometry


@pytest.fixture
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=20)
    yield process
    process.close()


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_every_thread_of_the_process_is_locked_in(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    decode(decoder, request_for(path, decoder.probe(path, "carphone")))
    assert decoder.pid is not None
    threads = [int(entry.name) for entry in Path(f"/proc/{decoder.pid}/task").iterdir()]
    for thread in threads:
        facts = status(thread)
        assert (facts["Seccomp"], facts["NoNewPrivs"]) == ("2", "1")
    assert len(threads) == 2, "one that decodes and one that listens"


def test_credentials_do_not_reach_the_process(decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    decoder.probe(sample_path("carphone.mp4"), "carphone")
    assert b"secret" not in Path(f"/proc/{decoder.pid}/environ").read_bytes()


def wait_until_blocked(pid: int) -> None:
    """Waits until no thread of the process runs, or is about to."""
    deadline = time.monotonic() + 20
    looks: list[list[tuple[str, str]]] = []
    while not (
        len(looks) >= 5 and all(look == looks[-1] for look in looks[-5:]) and {state for state, _ in looks[-1]} == {"S"}
    ):
        assert time.monotonic() < deadline, "the process does not come to rest"
        threads = [status(int(entry.name)) for entry in Path(f"/proc/{pid}/task").iterdir()]
        looks.append([(facts["State"][0], facts["voluntary_ctxt_switches"]) for facts in threads])
        select.select([], [], [], 0.01)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and status(pid)["State"][0] != "Z":
        assert time.monotonic() < deadline, "the process outlives its parent"
        os.sched_yield()


def test_the_process_ends_with_a_killed_parent() -> None:
    script = """
import sys
from pathlib import Path
from videojob.media.parent.decoder import DecoderProcess
decoder = DecoderProcess()
decoder.probe(Path(sys.argv[1]), "clip")
print(decoder.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(sample_path("carphone.mp4"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    wait_until_gone(pid)


def test_the_process_ends_when_closed_and_starts_again_when_needed(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    decoder.probe(path, "carphone")
    first = decoder.pid
    assert first is not None
    decoder.close()
    decoder.close()
    assert decoder.pid is None
    assert not Path(f"/proc/{first}").exists()
    assert decoder.probe(path, "carphone").frames_estimate == 120
    assert decoder.pid != first


def test_signals_of_the_terminal_are_left_to_the_parent(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    info = decoder.probe(path, "carphone")
    assert decoder.pid is not None
    os.kill(decoder.pid, signal.SIGINT)
    os.kill(decoder.pid, signal.SIGTERM)
    assert len(decode(decoder, request_for(path, info))[0]) == 120


def test_a_process_that_cannot_start_is_a_matter_of_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "MODULE", "videojob.media.absent")
    with pytest.raises(SetupError, match="absent"):
        DecoderProcess().probe(sample_path("carphone.mp4"), "carphone")


def test_a_slow_consumer_is_not_taken_for_a_stuck_decoder(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    info = decoder.probe(path, "carphone")
    decoder.progress_timeout_s = 2.0
    with ring_for(same_size(info), slots=4) as ring:
        frames = decoder.open(request_for(path, info), ring)
        taken = iter(frames)
        assert [next(taken).slot for _ in range(4)] == [0, 1, 2, 3]
        # All slots are held for longer than the decoder may be without progress.
        release = threading.Timer(2.5, frames.release, [0])
        release.start()
        assert next(taken).slot == 0
        release.join()


def test_no_frame_is_written_into_a_slot_that_is_held(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    info = decoder.probe(path, "carphone")
    geometry = same_size(info)
    with ring_for(geometry, slots=3) as ring:
        frames = decoder.open(request_for(path, info), ring)
        taken = iter(frames)
        first = next(taken)
        assert first.slot == 0
        kept = ring.view(0, 1, (geometry.height, geometry.width, 3)).copy()
        for expected in (1, 2):
            frame = next(taken)
            assert frame.slot == expected
            frames.release(expected)
        # Slots are used in turn: slots 1 and 2 are free, but slot 0 is next.
        assert decoder.pid is not None
        wait_until_blocked(decoder.pid)
        assert (ring.view(0, 1, (geometry.height, geometry.width, 3)) == kept).all()
        frames.release(0)
        assert [next(taken).slot for _ in range(3)] == [0, 1, 2]


def test_opening_another_segment_drops_the_one_before(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    info = decoder.probe(path, "carphone")
    with ring_for(same_size(info), slots=2) as ring:
        dropped = decoder.open(request_for(path, info), ring)
        assert next(iter(dropped)).seq == 0
        frames, report = decode(decoder, request_for(path, info))
        assert len(frames) == report.frames_decoded == 120
        assert list(dropped) == []
        with pytest.raises(RuntimeError, match="behind the last frame"):
            dropped.report()


def test_a_ring_too_small_for_the_frames_is_refused(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    info = decoder.probe(path, "carphone")
    with ring_for(Geometry(8, 8, 8, 8, 1.0, 1.0, 0, 0)) as ring, pytest.raises(ValueError, match="need more than"):
        decoder.open(request_for(path, info), ring)


def peak_bytes(path: Path, geometry: Geometry | None = None) -> int:
    """Highest memory of a fresh process that decodes a whole file."""
    decoder = DecoderProcess()
    try:
        info = decoder.probe(path, path.name)
        request = request_for(path, info, geometry=geometry or same_size(info))
        frames, report = decode(decoder, request, slots=2)
        assert len(frames) == info.frames_estimate
        return report.peak_rss_bytes
    finally:
        decoder.close()


def test_a_4k_file_stays_far_below_600_megabytes(tmp_path: Path) -> None:
    spec = Spec(size=(3840, 2160), frames=24, gop=12, options={"preset": "ultrafast", "tune": "fastdecode", "bf": "3"})
    path = write_video(tmp_path / "uhd.mp4", spec)
    assert peak_bytes(path, Geometry(3840, 2160, 640, 360, 1 / 6, 1 / 6, 0, 0)) < 300_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4K pictures, of which a decoder has to hold many."""
    options = {"preset": "ultrafast", "bf": "3", "refs": "16"}
    return write_video(
        tmp_path_factory.mktemp("large") / "uhd.mp4", Spec(size=(3840, 2160), frames=12, gop=12, options=options)
    )


LARGE = Geometry(3840, 2160, 640, 360, 1 / 6, 1 / 6, 0, 0)


@pytest.mark.parametrize("skip_corrupt", [False, True], ids=["onCorruption: Fail", "onCorruption: Skip"])
@pytest.mark.parametrize("limit_mib", [64, 72, 80, 96, 112, 128, 144])
def test_pictures_that_do_not_fit_into_its_memory_are_named_and_never_taken_for_damage(
    large: Path, limit_mib: int, *, skip_corrupt: bool
) -> None:
    """FFmpeg says "invalid data" of a picture that it has no memory for: with Skip it would be left out in silence."""
    info = probe(large, large.name)
    decoder = DecoderProcess(heap_bytes=limit_mib << 20)
    try:
        with pytest.raises(DecoderCrashed, match=f"needs more than {limit_mib} MiB") as caught:
            decode(decoder, request_for(large, info, geometry=LARGE, skip_corrupt=skip_corrupt), slots=2)
        assert "worker.memoryLimit" in caught.value.hint
    finally:
        decoder.close()


def test_a_probe_without_memory_for_a_picture_says_so(large: Path) -> None:
    decoder = DecoderProcess(heap_bytes=72 << 20)
    try:
        with pytest.raises(DecoderCrashed, match="needs more than 72 MiB"):
            decoder.probe(large, large.name)
    finally:
        decoder.close()


@pytest.mark.parametrize("memory_limit", ["1Gi", "1536Mi"], ids=["on kind", "by default"])
def test_a_pods_decoder_has_memory_for_4k(large: Path, memory_limit: str) -> None:
    decoder = DecoderProcess(heap_bytes=decoder_bytes(WorkerSettings(memory_limit=memory_limit), has_ring=True))
    try:
        frames, report = decode(decoder, request_for(large, decoder.probe(large, "uhd"), geometry=LARGE), slots=2)
        assert (len(frames), report.gaps) == (12, ())
    finally:
        decoder.close()


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    short = write_video(tmp_path / "short.mkv", Spec(frames=30))
    long = write_video(tmp_path / "long.mkv", Spec(frames=1500))
    assert peak_bytes(long) - peak_bytes(short) < 8_000_000


def test_times_of_the_report_are_those_of_the_frames(decoder: DecoderProcess) -> None:
    path = sample_path("bikes.mp4")
    info = decoder.probe(path, "bikes")
    frames, report = decode(decoder, request_for(path, info, sampling=Sampling(every_nth_frame=100)))
    assert [frame.time_ms for frame in frames] == [0, 4000, 8000]
    assert (report.first_ms, report.last_ms) == (0, 9960)
    assert (report.frames_decoded, report.frames_selected, report.frames_gated) == (250, 3, 0)
    assert 0 < report.busy_s < 60


def bytes_read(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_probing_reads_little_of_a_long_file_and_keeps_nothing_of_it(
    decoder: DecoderProcess, tmp_path: Path, suffix: str
) -> None:
    group = write_video(tmp_path / "group.mp4", Spec(frames=50, gop=50, options={"x264-params": "bframes=2"}))
    path = looped(group, tmp_path / f"long.{suffix}", 300)
    decoder.probe(sample_path("carphone.mp4"), "warm")
    assert decoder.pid is not None
    read, memory = bytes_read(decoder.pid), int(status(decoder.pid)["VmHWM"].split()[0])

    info = decoder.probe(path, "long")

    assert abs(info.duration_ms - 600_000) <= 100
    assert abs(info.frames_estimate - 15_000) <= 3
    assert len(info.cut_pts) > 15
    assert bytes_read(decoder.pid) - read < info.size_bytes / 2
    assert int(status(decoder.pid)["VmHWM"].split()[0]) - memory < 12_000
    assert all(20_000 <= length <= 60_000 for length in lengths_ms(info))


def lengths_ms(info: VideoInfo) -> list[int]:
    bounds = [0, *(info.time_ms(segment.end_pts) for segment in cut([info]) if segment.end_pts), info.duration_ms]
    return [end - start for start, end in pairwise(bounds)]
