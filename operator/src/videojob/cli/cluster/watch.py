"""`videojob watch NAME`: shows a VideoJob on a cluster while it works, and ends as the job does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from videojob.adapters.clock import SystemClock
from videojob.cli.cluster.completion import JobArgument
from videojob.cli.cluster.connection import (
    Access,
    command_line,
    connected,
    find_job,
)
from videojob.cli.cluster.following import Back, Following, Gone, Happened, Lost, Refused, Seen, Source
from videojob.cli.cluster.watch_view import WatchDisplay, end_document, run_progress, watch_display
from videojob.cli.display import duration_text
from videojob.cli.exit_codes import ExitCode
from videojob.cli.options import with_options
from videojob.cli.terminal import console, tell, write_json
from videojob.errors import Cancelled, SetupError
from videojob.kube.read.job_state import JobState
from videojob.ports.clock import Clock
from videojob.printable import printable
from videojob.reasons import Phase

_REDRAW_EVERY_S = 1.0
_LAST_EVENTS_S = 1.0
"""Events about a job's end may come a moment behind its status."""
_STYLES = {"Completed": "bold green", "PartiallyCompleted": "bold yellow"}


@with_options
def watch(
    name: JobArgument,
    *,
    access: Access,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end, nothing else.")] = False,
) -> None:
    """Watch a VideoJob on the cluster until it ends; the exit code is that of `run`."""
    clock = SystemClock()
    with connected(access) as there:
        following = Following(there.api, find_job(there.api, there.namespace, name))
        with (
            _stoppable(following, access),
            watch_display(console(stderr=True), clock, silent=as_json) as shown,
        ):
            job, events = watch_job(following, shown, clock)
    if as_json:
        write_json(end_document(job, events))
    else:
        show_end(console(), job, access)
    raise typer.Exit(exit_code_of(job))


@contextmanager
def _stoppable(following: Following, access: Access) -> Iterator[None]:
    """Follows during the block; Ctrl-C ends the watch and nothing else."""
    following.start()
    try:
        yield
    except KeyboardInterrupt as error:
        job = following.job
        again, hold = (command_line(words, job, access) for words in ("watch", "suspend"))
        hint = f"`{again}` watches it again, `{hold}` suspends it."
        raise Cancelled(f"the watch was stopped; {job.namespace}/{job.name} continues", hint=hint) from error
    finally:
        following.stop()


def watch_job(following: Source, shown: WatchDisplay, clock: Clock) -> tuple[JobState, list[Happened]]:
    """Shows the job until it has ended and no more events arrive; returns its last state and its Events.

    Raises:
        ClusterRefused: it may not be read any more.
        SetupError: it was deleted.
    """
    job = following.job
    events: list[Happened] = []
    while True:
        update = following.next(_LAST_EVENTS_S if job.has_ended else _REDRAW_EVERY_S)
        match update:
            case None if job.has_ended:
                return job, events
            case Seen(job):
                pass
            case Happened():
                events.append(update)
                shown.event(update)
            case Lost(error):
                shown.notice(f"no answer from the API server, retrying: {error.message}")
            case Back():
                shown.notice("the API server answers again")
            case Refused(error, of_events=True):
                shown.notice(f"Events are left out: {error.message}")
            case Refused(error):
                raise error
            case Gone(replaced):
                raise _gone(job, replaced)
        shown.state(job, clock.now_s())


def _gone(job: JobState, replaced: bool) -> SetupError:
    how = "was deleted and created again" if replaced else "was deleted"
    hint = (
        f"`{command_line('watch', job)}` watches the new one."
        if replaced
        else "Its committed results remain in the table."
    )
    return SetupError(f"{job.namespace}/{job.name} {how} while it was watched", hint=hint)


def exit_code_of(job: JobState) -> ExitCode:
    """What `videojob run` would have ended with."""
    if job.phase is not Phase.SUCCEEDED:
        return ExitCode.FAILED
    return ExitCode.PARTIAL if job.reason == "PartiallyCompleted" else ExitCode.OK


def show_end(where: Console, job: JobState, access: Access) -> None:
    """State, counts, time and what to do next."""
    tell(where, job.reason, _STYLES.get(job.reason, "bold red"))
    if job.message and job.message != job.reason:
        tell(where, f"  {printable(job.message)}", "red" if job.phase is Phase.FAILED else "")
    if job.progress is not None:
        done = run_progress(job.progress)
        lasted_s = job.lasted_s(0.0)
        took = "" if lasted_s is None or job.ended_s is None else f" in {duration_text(lasted_s)}"
        segments = f"{done.segments_done}/{done.segments_total} segments"
        tell(where, f"  {done.frames_done:,}/{done.frames_total:,} frames, {segments}{took}")
    if job.table:
        tell(where, f"  results  DynamoDB table {printable(job.table)}")
        tell(where, f"  {command_line('results', job, access)}")
    else:
        tell(where, f"  {command_line('logs', job, access)}  shows the logs of its pods")
