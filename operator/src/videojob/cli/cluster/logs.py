"""`videojob logs NAME`: what the planner, the workers and the inference server of a VideoJob on a cluster say."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from videojob.cli.cluster.completion import JobArgument
from videojob.cli.cluster.connection import (
    Access,
    Connected,
    connected,
    find_job,
)
from videojob.cli.cluster.log_lines import LogLine, line_text, log_line
from videojob.cli.cluster.log_reading import MOST_STREAMS, LogFollowing, Wanted, Written, find_sources, read_logs
from videojob.cli.options import with_options
from videojob.cli.terminal import console, tell
from videojob.errors import UsageError
from videojob.kube.read.job_state import JobState
from videojob.kube.read.log_sources import LogSource
from videojob.printable import printable

_POD_STYLES = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
_LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}


class Component(StrEnum):
    """Whose logs."""

    PLANNER = "planner"
    WORKER = "worker"
    SERVER = "server"


@with_options
def logs(
    name: JobArgument,
    *,
    access: Access,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    component: Annotated[
        list[Component] | None, typer.Option("--component", help="Whose; may be given again.", show_default="all")
    ] = None,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of containers before they were started again.")
    ] = False,
    tail: Annotated[int, typer.Option(min=-1, help="Lines of the end of each log; -1 for all.")] = 200,
    raw: Annotated[bool, typer.Option("--raw", help="Lines as they were written, behind their pod.")] = False,
) -> None:
    """Show the logs of a VideoJob's pods on the cluster, and of the inference server that they use."""
    if follow and previous:
        raise UsageError("what was written before a restart does not go on", hint="Leave out --follow or --previous.")
    wanted = Wanted(frozenset(component or tuple(Component)), previous, None if tail < 0 else tail)
    with connected(access, connections=MOST_STREAMS + 10) as there:
        job = find_job(there.api, there.namespace, name)
        lines = _followed(there, job, wanted) if follow else _read(there, job, wanted)
        try:
            write_lines(console(), lines, raw=raw)
        except KeyboardInterrupt:
            return
        except BrokenPipeError:
            # Whoever reads has enough, as `head` does. The interpreter's own last flush must not complain either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _notice(text: str) -> None:
    tell(console(stderr=True), text, "yellow")


def _followed(there: Connected, job: JobState, wanted: Wanted) -> Iterable[Written]:
    return LogFollowing(there.api, job, wanted, _notice).lines()


def _read(there: Connected, job: JobState, wanted: Wanted) -> Iterable[Written]:
    sources = find_sources(there.api, job, wanted, _notice)
    readable = [one for one in sources if (one.has_previous if wanted.previous else one.has_begun)]
    for text in missing_text(job, sources, readable, wanted):
        _notice(text)
    return read_logs(there.api, readable, wanted, _notice)


def missing_text(job: JobState, sources: list[LogSource], readable: list[LogSource], wanted: Wanted) -> list[str]:
    """Why some logs, or all, are not there."""
    if wanted.previous:
        return [] if readable else ["no container was started again: there is no log before the present one"]
    if not sources:
        state = job.reason or "not looked at by a controller yet"
        end = "; those of an ended job go with its Jobs, look into your store of logs" if job.has_ended else ""
        return [f"{job.namespace}/{job.name} is {state} and has no pods{end}"]
    return [f"{one.label} waits: {one.waits}" for one in sources if one.waits and not one.has_begun]


def write_lines(where: Console, lines: Iterable[Written], *, raw: bool) -> None:
    """Each behind its pod, at once. In a terminal pods and levels have colours."""
    styles: dict[str, str] = {}
    for line in lines:
        label = line.source.label
        style = styles.setdefault(label, _POD_STYLES[len(styles) % len(_POD_STYLES)])
        parts = LogLine(line.time, "", line.text) if raw else log_line(line.text, line.time)
        body = printable(line.text.rstrip("\r")) if raw else line_text(parts)
        if where.is_terminal:
            where.print(Text.assemble((label, style), " ", (body, _LEVEL_STYLES.get(parts.level, ""))), soft_wrap=True)
        else:
            sys.stdout.write(f"{label} {body}\n")
            sys.stdout.flush()
