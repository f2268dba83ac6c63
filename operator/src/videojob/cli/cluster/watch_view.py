"""How a VideoJob on a cluster is shown while it is watched.

The state's words are pure functions; a display only decides when and where they are written.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from videojob.cli.cluster.following import Happened
from videojob.cli.display import duration_text, progress_text, progress_view
from videojob.cli.program import program_name
from videojob.cli.screen import Lines, LiveArea, Screen
from videojob.cli.terminal import cell
from videojob.kube.read.job_state import ConditionState, JobState, ProgressState
from videojob.local.run_types import RunProgress
from videojob.ports.clock import Clock
from videojob.reasons import Phase

_STYLES = {Phase.SUCCEEDED: "bold green", Phase.FAILED: "bold red", Phase.WORKING: "bold", Phase.WAITING: "bold yellow"}
_NOT_PICKED_UP = "not yet picked up by the controller"
_PATIENT_S = 15.0  # a healthy controller has reconciled a new job long before


class WatchDisplay(Screen):
    """Where a watch is shown; this one shows nothing."""

    def state(self, job: JobState, now_s: float) -> None:
        """The job as it is now; told again each second, so that times go on."""

    def event(self, event: Happened) -> None:
        """An Event about it."""


class PlainWatch(Lines, WatchDisplay):
    """A line per change: of what the job does or waits for, of each condition, and every two seconds of progress.

    Most changes are Events, too: what one of both has said is not said again.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(console, clock)
        self._state = ("", "")
        self._conditions: dict[str, str] = {}
        self._shown_events: set[tuple[str, str]] = set()
        self._progress = ""

    def state(self, job: JobState, now_s: float) -> None:
        """What has changed since the last call; how a job ended is shown elsewhere."""
        if job.has_ended:
            return
        self._tell_state(job, now_s)
        for one in job.conditions:
            text = condition_text(one, job)
            is_new = one.status == "True" or one.type != "Suspended" or one.type in self._conditions
            if is_new and self._conditions.get(one.type) != text:
                self._conditions[one.type] = text
                self.line(f"  {text}")
        progress = "" if job.progress is None else progress_text(run_progress(job.progress))
        if progress != self._progress and self.may_progress():
            self._progress = progress
            self.line(f"  {progress}")

    def event(self, event: Happened) -> None:
        """One line, unless the state has said it."""
        words = (event.reason, event.message)
        if words != self._state:
            self._shown_events.add(words)
            self.line(event_text(event))

    def _tell_state(self, job: JobState, now_s: float) -> None:
        words = (job.reason, state_text(job, now_s) if job.phase is None else job.message)
        if words == self._state:
            return
        if words not in self._shown_events:
            repeated = any(job.message == message for _, message in self._shown_events)
            self.line(f"{job.namespace}/{job.name}: {job.reason}" if repeated else state_text(job, now_s))
        self._state = words
        self._shown_events.clear()


class LiveWatch(LiveArea, WatchDisplay):
    """A view that redraws itself in place, below the Events."""

    def state(self, job: JobState, now_s: float) -> None:
        self.redraw(watch_view(job, now_s))

    def event(self, event: Happened) -> None:
        self.line(event_text(event), "yellow" if event.type == "Warning" else "dim")


def watch_display(console: Console, clock: Clock, *, silent: bool) -> WatchDisplay:
    """The display that fits the console."""
    if silent:
        return WatchDisplay()
    return LiveWatch(console) if console.is_terminal else PlainWatch(console, clock)


def state_text(job: JobState, now_s: float) -> str:
    """One line: the job, its state in one word, and why."""
    if job.phase is None:
        waited_s = 0.0 if job.created_s is None else now_s - job.created_s
        hint = f"; `{program_name()} doctor` checks the controller" if waited_s > _PATIENT_S else ""
        return f"{job.namespace}/{job.name}: {_NOT_PICKED_UP}{hint}"
    going = " (it is being deleted)" if job.deleting else ""
    message = f": {job.message}" if job.message else ""
    return f"{job.namespace}/{job.name}: {job.reason}{message}{going}"


def condition_text(one: ConditionState, job: JobState) -> str:
    """A condition in one line: whether it holds, and why, as far as the job's own words do not say it."""
    why = "" if one.reason in {one.type, job.reason} else f" ({one.reason})"
    message = "" if job.message.startswith(one.message) else f": {one.message}"
    return f"{one.type} {_answer(one.status)}{why}{message}"


def event_text(event: Happened) -> str:
    """An Event in one line."""
    mark = "! " if event.type == "Warning" else ""
    return f"{event.time.partition('T')[2][:8] or '--:--:--'} {mark}{event.reason}: {event.message}"


def run_progress(progress: ProgressState) -> RunProgress:
    """The progress of a cluster's job as that of a run on this machine, which is shown alike; it knows no videos."""
    return RunProgress(
        videos=(),
        frames_done=progress.frames_done,
        frames_total=max(progress.frames_done, progress.frames_total or 0),
        segments_done=progress.segments_done,
        segments_total=max(progress.segments_done, progress.segments_total or 0),
        frames_per_s=progress.frames_per_s or 0.0,
        mean_batch=None,
        remaining_s=progress.remaining_s,
    )


def watch_view(job: JobState, now_s: float) -> RenderableType:
    """The live view: state and time, why, how far, and what it stands on."""
    head = Text()
    head.append_text(cell(f"{job.namespace}/{job.name}  "))
    head.append_text(cell(job.reason or "…", "bold" if job.phase is None else _STYLES[job.phase]))
    lasted_s = job.lasted_s(now_s)
    if lasted_s is not None:
        head.append_text(cell(f"  for {duration_text(lasted_s)}", "dim"))
    if job.has_ended:  # how it ended is printed below, and stays
        return head
    lines: list[RenderableType] = [head, cell(f"  {_why(job, now_s)}")]
    if job.progress is not None:
        lines.append(progress_view(run_progress(job.progress)))
    if job.conditions:
        lines.append(_conditions_table(job.conditions))
    return Group(*lines)


def _why(job: JobState, now_s: float) -> str:
    return job.message if job.phase is not None else state_text(job, now_s).partition(": ")[2]


def _conditions_table(conditions: tuple[ConditionState, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in conditions:
        style = {"True": "green", "False": "yellow"}.get(one.status, "dim")
        table.add_row(
            cell(f"  {one.type}"), cell(_answer(one.status), style), cell(one.reason), cell(one.message, "dim")
        )
    return table


def _answer(status: str) -> str:
    return {"True": "yes", "False": "no"}.get(status, "not yet")


def end_document(job: JobState, events: list[Happened]) -> dict[str, Any]:
    """How a watched job ended, for a script. Fields are only ever added."""
    progress = job.progress
    return {
        "state": job.reason,
        "job": {"name": job.name, "namespace": job.namespace, "uid": job.uid},
        "succeeded": job.phase is Phase.SUCCEEDED,
        "message": job.message,
        "conditions": [
            {"type": one.type, "status": one.status, "reason": one.reason, "message": one.message}
            for one in job.conditions
        ],
        "progress": None
        if progress is None
        else {
            "frames_done": progress.frames_done,
            "frames_total": progress.frames_total,
            "segments_done": progress.segments_done,
            "segments_total": progress.segments_total,
        },
        "wall_s": job.lasted_s(0.0) if job.ended_s is not None else None,
        "results": f"DynamoDB table {job.table}" if job.table else None,
        "events": [
            {"time": one.time, "type": one.type, "reason": one.reason, "message": one.message}
            for one in sorted(events, key=lambda one: one.time)
        ],
    }
