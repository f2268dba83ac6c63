"""`videojob run` of a manifest, on this machine, as a run beside which pods are measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def run_here(
    manifest: Mapping[str, Any], folder: Path, *flags: str, limit_s: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs it to its end.

    Args:
        manifest: of the job.
        folder: for it and its results; made here.
        flags: of the command, besides those for results.
        limit_s: seconds that it may take.
        environment: more of it.

    Returns:
        What `--json` printed.

    Raises:
        RuntimeError: it failed.
        subprocess.TimeoutExpired: it took longer than `limit_s`.
    """
    folder.mkdir(parents=True)
    path = folder / "job.yaml"
    path.write_text(json.dumps(manifest))
    command = [str(Path(sys.executable).parent / "videojob"), "run", str(path), "--json"]
    done = subprocess.run(
        [*command, "--output", str(folder / "out"), *flags],
        env=os.environ | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
