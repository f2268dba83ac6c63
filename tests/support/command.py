"""Runs the real `videojob` command in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videojob.adapters.sqlite.sink import SqliteSink

TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def command_line(*arguments: str | Path) -> list[str]:
    return [str(Path(sys.executable).parent / "videojob"), *map(str, arguments)]


def videojob(*arguments: str | Path, **environment: str) -> Finished:
    """Runs to the end."""
    done = subprocess.run(
        command_line(*arguments),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command that a test wants to disturb; killed at the end whatever happened. Its stderr is a pipe of lines."""
    process = subprocess.Popen(command_line(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT_S)


def stored_summary(output: Path) -> bytes:
    """The summary of the one run in an output folder."""
    with contextlib.closing(SqliteSink(output / "results.sqlite3")) as sink:
        (run,) = sink.runs()
        found = sink.summary(run.uid)
    assert found is not None
    return found


def manifest(folder: Path, *paths: Path | str, name: str = "job", **spec: Any) -> Path:
    """Writes a manifest for these videos; `spec` adds to it or replaces."""
    body = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": name},
        "spec": {
            "inputs": [{"file": {"path": str(path)}} for path in paths],
            "model": {"name": "face_detector", "threshold": "0.5"},
        }
        | spec,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(body, indent=1))  # JSON is YAML
    return path
