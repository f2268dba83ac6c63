"""Starts runs in processes of their own and reads the rows that they leave."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.soak import runs
from bench.soak.table import Row, Run

LIMIT_S = 3600.0
_LAST_LINES = 15
_STDERR = 2
_ROOT = Path(__file__).resolve().parents[2]
_CHILD = (sys.executable, "-m", "bench.soak.child")


def names() -> list[str]:
    """All runs, by module."""
    return sorted(one.name for one in pkgutil.iter_modules(runs.__path__))


def run(name: str, *, child: Sequence[str] = _CHILD, limit_s: float = LIMIT_S) -> Run:
    """One run; the rows come through on stderr as they are measured.

    Args:
        name: which.
        child: command that is given the name and the file for rows.
        limit_s: after which it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="videojob-soak-") as folder:
        rows_path, log_path = Path(folder) / "rows.jsonl", Path(folder) / "log.txt"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [*child, name, str(rows_path)], cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=_STDERR, stderr=log
            )
            try:
                code: int | None = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                process.kill()
                process.wait()
        words = "\n".join(log_path.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        if code is None:
            return Run(name, _rows(rows_path), f"{words}\nit took longer than {limit_s:.0f} s".strip())
        return Run(name, _rows(rows_path), f"{words}\nit ended with code {code}".strip() if code else "")


def _rows(path: Path) -> tuple[Row, ...]:
    """The rows that are there whole: a run may be killed while it writes one."""
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return tuple(Row(**json.loads(line)) for line in lines if line.endswith("\n"))
