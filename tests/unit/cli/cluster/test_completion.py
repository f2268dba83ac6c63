"""What kubectl gets when somebody presses the tabulator behind `kubectl videojob`."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
sys.argv = ["kubectl_complete-videojob", *sys.argv[1:]]
from videojob.cli.cluster.completion import main
main()
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["wa"], ["watch"]),
        (["logs", "--fo"], ["--follow"]),
        (["logs", "--component", "p"], ["planner"]),
        # No cluster is set up: no names, and no words about it.
        (["watch", ""], []),
    ],
)
def test_commands_options_and_values_are_completed(words: list[str], completed: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words],
        env={"KUBECONFIG": "/nonexistent", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *lines, directive = done.stdout.split()
    assert (lines, directive) == (completed, ":4")
