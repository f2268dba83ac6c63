"""What the command line costs before it does anything: CPU time of `videojob version` and `videojob --help`.

The first peer is a typer program of one empty command, so the ratio is what our own imports add. `version` has two
peers more: an interpreter that does nothing, and one that imports the libraries for AWS and gRPC, which no command may
import before it needs them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.launch import VariantFailed
from bench.measure import interleaved, paired, ratio_of
from bench.plan import Plan
from bench.table import Row

_COMMANDS = {"version": ("version",), "--help": ("--help",), "run --help": ("run", "--help")}
_TYPER = "import typer\napp = typer.Typer(add_completion=False)\n@app.command()\ndef one(): pass\napp()"
_INTERPRETERS = {"python -c pass": "pass", "importing boto3 and grpc": "import boto3, grpc"}
_RUNS_PER_ROUND = 3


def rows(plan: Plan) -> Iterator[Row]:
    """Each command / an empty typer program that is asked for the same: its work, or its help; then the other peers."""
    for name, arguments in _COMMANDS.items():
        help_alone = [argument for argument in arguments if argument == "--help"]
        yield _row(plan, name, arguments, "empty typer program", [sys.executable, "-c", _TYPER, *help_alone])
    for peer_name, code in _INTERPRETERS.items():
        yield _row(plan, "version", ("version",), peer_name, [sys.executable, "-c", code])


def _row(plan: Plan, name: str, arguments: tuple[str, ...], peer_name: str, peer: list[str]) -> Row:
    commands = {"ours": [str(Path(sys.executable).with_name("videojob")), *arguments], "peer": peer}
    for command in commands.values():
        _cpu_ms(command)  # reads the files once
    order = interleaved("ours", ["peer"], _RUNS_PER_ROUND * plan.rounds)
    pairs = paired("ours", order, [_cpu_ms(commands[side]) for side in order])["peer"]
    mine, theirs = zip(*pairs, strict=True)
    return Row(
        f"videojob {name} / {peer_name}",
        "",
        statistics.median(mine),
        statistics.median(theirs),
        "CPU-ms",
        ratio_of(pairs),
        lower_is_better=True,
    )


def _cpu_ms(command: list[str]) -> float:
    """User and system time of one run."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise VariantFailed(f"{command[0]} ended with code {process.returncode}")
    return 1000 * (usage.ru_utime + usage.ru_stime)
