"""Follows one VideoJob and its Events over lost connections: threads that put what they hear into one queue.

Whoever reads the queue gets an event when the connection is lost and when it is back, once each, and of each Event
once.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from videojob.errors import ClusterError, ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import EVENTS, VIDEOJOBS
from videojob.kube.read.job_state import JobState, job_state
from videojob.ports.cluster import Cluster, ClusterStreams, Object

_FIRST_WAIT_S = 0.5
_MOST_WAIT_S = 10.0


class Streams(Cluster, ClusterStreams, Protocol):
    """All of the cluster that following takes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The job, as it is now."""

    job: JobState


@dataclass(frozen=True, slots=True)
class Gone:
    """The job is no more; `replaced` when another one has its name."""

    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """An Event about the job."""

    time: str
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The API server does not answer; it is asked again and again."""

    error: ClusterUnavailable


@dataclass(frozen=True, slots=True)
class Back:
    """It answers again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It says no, which asking again does not change. `of_events`: only Events are refused."""

    error: ClusterError
    of_events: bool


Update = Seen | Gone | Happened | Lost | Back | Refused


class Source(Protocol):
    """Where events come from."""

    @property
    def job(self) -> JobState:
        """The job as it was at first."""
        ...

    def next(self, timeout_s: float) -> Update | None:
        """The next event; None when there was none in time."""
        ...


@dataclass(slots=True)
class Following:
    """Two threads behind one queue; implements `Source`."""

    cluster: Streams
    job: JobState
    _updates: queue.Queue[Update] = field(default_factory=queue.Queue)
    _stop: threading.Event = field(default_factory=threading.Event)
    _reported: set[str] = field(default_factory=set)
    _is_lost: bool = False

    def start(self) -> None:
        """Begins. The threads end with `stop`, and never hold up the process's end."""
        for work, of_events in ((self._watch_job, False), (self._watch_events, True)):
            threading.Thread(target=self._again, args=(work, of_events), daemon=True).start()

    def stop(self) -> None:
        """Lets them end."""
        self._stop.set()

    def next(self, timeout_s: float) -> Update | None:
        """The next event; None when there was none in time."""
        with suppress(queue.Empty):
            return self._updates.get(timeout=timeout_s)
        return None

    def _again(self, work: Callable[[], None], of_events: bool) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                work()
                wait_s = _FIRST_WAIT_S
            except ClusterUnavailable as error:
                if not of_events and not self._is_lost:
                    self._is_lost = True
                    self._updates.put(Lost(error))
                wait_s = min(_MOST_WAIT_S, 2 * wait_s)
            except ClusterRefused as error:
                self._updates.put(Refused(error, of_events))
                return
            self._stop.wait(wait_s)

    def _watch_job(self) -> None:
        """One watch, until it ends: from what is there now, so that nothing between two watches is missed."""
        job = self.job
        stored = self.cluster.get(VIDEOJOBS, job.namespace, job.name)
        if self._is_lost:
            self._is_lost = False
            self._updates.put(Back())
        if not self._see(stored):
            return
        version = "" if stored is None else str(stored["metadata"].get("resourceVersion", ""))
        fields = f"metadata.name={job.name}"
        for kind, value in self.cluster.watch(VIDEOJOBS, job.namespace, fields=fields, version=version):
            if self._stop.is_set() or not self._see(None if kind == "DELETED" else value):
                return

    def _see(self, value: Object | None) -> bool:
        """Tells of the job; False when there is no more to see."""
        if value is None or value["metadata"].get("uid") != self.job.uid:
            self._updates.put(Gone(replaced=value is not None))
            self._stop.set()
            return False
        self._updates.put(Seen(job_state(value)))
        return True

    def _watch_events(self) -> None:
        """What there is, oldest first, then one watch, which begins with all of it: only what is new is reported."""
        fields = f"involvedObject.uid={self.job.uid}"
        for value in sorted(self.cluster.list(EVENTS, self.job.namespace, fields=fields), key=_time):
            self._on_event(value)
        for kind, value in self.cluster.watch(EVENTS, self.job.namespace, fields=fields):
            if self._stop.is_set():
                return
            if kind != "DELETED":
                self._on_event(value)

    def _on_event(self, event: Object) -> None:
        version = f"{event['metadata'].get('uid', '')} {event.get('count', '')}"
        if version not in self._reported:
            self._reported.add(version)
            self._updates.put(event_update(event))


def event_update(event: Object) -> Happened:
    """An Event's words."""
    return Happened(
        _time(event), str(event.get("type", "")), str(event.get("reason", "")), str(event.get("message", ""))
    )


def _time(event: Object) -> str:
    when = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    return str(when or "")
