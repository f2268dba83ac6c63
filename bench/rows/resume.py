"""What `kill -9` in the middle costs: frames that go through the model twice, counted by the server.

The program itself is started, killed and started again, on the emulated device, with segments of 20 seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.clips import FRAMES_PER_S
from bench.launch import VariantFailed
from bench.measure import ratio_of
from bench.peers.ours import connect_to
from bench.plan import Plan
from bench.server import EMULATED, serving_emulated
from bench.table import Row
from bench.tasks import Task
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.adapters.triton.client import TritonInference

_LOOPS = 12
_SEGMENT_S = 20
_KILL_AT = (0.3, 0.5, 0.7)  # shares of the frames
_POLL_S = 0.02
_LIMIT_S = 300.0


def rows(plan: Plan) -> Iterator[Row]:
    """Frames redone / one segment per worker, and / all frames."""
    with serving_emulated() as place, tempfile.TemporaryDirectory(prefix="videojob-bench-") as name:
        task = plan.task("small", _LOOPS, place, EMULATED)
        folder = Path(name)
        manifest = _manifest(task, folder)
        inference = connect_to(task)
        try:
            expected = _summary_of(manifest, task, folder / "undisturbed")
            redone, equal = [], True
            for share in _KILL_AT:
                output = folder / f"killed-at-{share}"
                redone.append(_killed_and_resumed(manifest, task, output, inference, share))
                equal &= _stored_summary(output) == expected
        finally:
            inference.close()
    bound = float(plan.cores * _SEGMENT_S * FRAMES_PER_S)
    middle = sorted(redone)[len(redone) // 2]
    note = (
        f"killed at {', '.join(f'{share:.0%}' for share in _KILL_AT)}; summary byte-equal: {'yes' if equal else 'NO'}"
    )
    yield Row(
        "frames redone after kill -9 / a segment per worker",
        "small",
        middle,
        bound,
        "frames",
        ratio_of([(frames, bound) for frames in redone]),
        aim=1.0,
        lower_is_better=True,
        note=note,
    )
    yield Row(
        "frames redone after kill -9 / all frames",
        "small",
        middle,
        float(task.frames),
        "frames",
        ratio_of([(frames, float(task.frames)) for frames in redone]),
        note=f"{_SEGMENT_S} s segments of a {task.frames // FRAMES_PER_S} s video",
    )


def _manifest(task: Task, folder: Path) -> Path:
    path = folder / "job.yaml"
    path.write_text(
        "apiVersion: videojob.dev/v1alpha1\n"
        "kind: VideoJob\n"
        "metadata: {name: resume}\n"
        "spec:\n"
        f"  inputs: [{{file: {{path: {task.clip}}}}}]\n"
        f"  model: {{name: {task.model}}}\n"
        f"  compute: {{segmentSeconds: {_SEGMENT_S}}}\n",
        encoding="utf-8",
    )
    return path


def _start(manifest: Path, task: Task, output: Path) -> subprocess.Popen[bytes]:
    if task.server is None:
        raise ValueError("resuming needs a server")
    program = Path(sys.executable).with_name("videojob")
    command = [str(program), "run", str(manifest), "--json"]
    command += ["--output", str(output), "--triton-url", task.server.address, "--workers", str(task.cores)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _finish(process: subprocess.Popen[bytes]) -> None:
    try:
        code = process.wait(_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    if code != 0:
        raise VariantFailed(f"videojob run ended with code {code}")


def _summary_of(manifest: Path, task: Task, output: Path) -> bytes:
    _finish(_start(manifest, task, output))
    return _stored_summary(output)


def _stored_summary(output: Path) -> bytes:
    sink = SqliteSink(output / "results.sqlite3")
    try:
        [run] = sink.runs()
        summary = sink.summary(run.uid)
    finally:
        sink.close()
    if summary is None:
        raise VariantFailed("the run left no summary")
    return summary


def _killed_and_resumed(manifest: Path, task: Task, output: Path, inference: TritonInference, share: float) -> float:
    """Frames that the server saw beyond those of the video."""
    before = inference.statistics().inferences
    process = _start(manifest, task, output)
    deadline_s = time.monotonic() + _LIMIT_S
    while inference.statistics().inferences - before < share * task.frames:
        if process.poll() is not None or time.monotonic() > deadline_s:
            process.kill()
            raise VariantFailed("the run ended before it could be killed")
        time.sleep(_POLL_S)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _finish(_start(manifest, task, output))
    return float(inference.statistics().inferences - before - task.frames)
