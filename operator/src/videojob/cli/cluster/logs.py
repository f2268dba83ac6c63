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
from videojob.cli.cluster.log_reading import MOST_STREAMS, LogFollowing, LogRequest, Written, find_sources, read_logs
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
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the logs until the job ends.")] = False,
    component: Annotated[
        list[Component] | None,
        typer.Option("--component", help="Component whose logs to show; repeatable.", show_default="all"),
    ] = None,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Logs of containers before their last restart.")
    ] = False,
    tail: Annotated[int, typer.Option(min=-1, help="Last lines of each log; -1 for all.")] = 200,
    raw: Annotated[bool, typer.Option("--raw", help="Unformatted lines, each after the name of its pod.")] = False,
) -> None:
    """Show the logs of a VideoJob's pods on the cluster, and of the inference server that they use."""
    if follow and previous:
        raise UsageError("logs from before a restart cannot be followed", hint="Leave out --follow or --previous.")
    request = LogRequest(frozenset(component or tuple(Component)), previous, None if tail < 0 else tail)
    with connected(access, connections=MOST_STREAMS + 10) as there:
        job = find_job(there.api, there.namespace, name)
        lines = _followed(there, job, request) if follow else _read(there, job, request)
        try:
            write_lines(console(), lines, raw=raw)
        except KeyboardInterrupt:
            return
        except BrokenPipeError:
            # Whoever reads has enough, as `head` does. The interpreter's own last flush must not complain either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _notice(text: str) -> None:
    tell(console(stderr=True), text, "yellow")


def _followed(there: Connected, job: JobState, request: LogRequest) -> Iterable[Written]:
    return LogFollowing(there.api, job, request, _notice).lines()


def _read(there: Connected, job: JobState, request: LogRequest) -> Iterable[Written]:
    sources = find_sources(there.api, job, request, _notice)
    readable = [one for one in sources if (one.has_previous if request.previous else one.has_begun)]
    for text in missing_text(job, sources, readable, request):
        _notice(text)
    return read_logs(there.api, readable, request, _notice)


def missing_text(job: JobState, sources: list[LogSource], readable: list[LogSource], request: LogRequest) -> list[str]:
    """Why some logs, or all, are not there."""
    if request.previous:
        return [] if readable else ["no container was restarted: there are no previous logs"]
    if not sources:
        state = job.reason or "not yet picked up by the controller"
        end = "; pods of a finished job are deleted with its Jobs: see your log store" if job.has_ended else ""
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
