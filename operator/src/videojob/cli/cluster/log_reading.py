"""Brings the logs of many containers together: once, in order of time, or as they come over lost connections."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from videojob.cli.cluster.following import Streams
from videojob.cli.cluster.log_lines import sort_key
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import JOBS, PODS, VIDEOJOBS
from videojob.kube.names import COMPONENT, JOB_UID, SERVER
from videojob.kube.read.job_state import JobState, job_state
from videojob.kube.read.log_sources import LogQuery, LogSource, log_sources, server_of
from videojob.ports.cluster import Object

MOST_STREAMS = 200
_LIST_EVERY_S = 2.0
_WAIT_S = 1.0
_LAST_LINES_S = 1.0


@dataclass(frozen=True, slots=True)
class Written:
    """A line that a container wrote."""

    source: LogSource
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What of a job's logs is wanted.

    Attributes:
        components: whose. previous: of containers before their last restart. tail: lines of each end; None for all.
    """

    components: frozenset[str]
    previous: bool = False
    tail: int | None = None


def find_sources(
    cluster: Streams, job: JobState, request: LogRequest, notice: Callable[[str], None]
) -> list[LogSource]:
    """Every container whose log is wanted, as things are now; `notice` gets what cannot be read, and why."""
    pods: list[Object] = []
    ours = request.components - {"server"}
    if ours:
        labels = f"{JOB_UID}={job.uid},{COMPONENT} in ({','.join(sorted(ours))})"
        pods += cluster.list(PODS, job.namespace, labels=labels)
    if "server" in request.components:
        pods += _server_pods(cluster, job, notice)
    return log_sources(pods)


def _server_pods(cluster: Streams, job: JobState, notice: Callable[[str], None]) -> list[Object]:
    try:
        server = server_of(cluster.list(JOBS, job.namespace, labels=f"{JOB_UID}={job.uid}"))
        if server is None:
            return []
        namespace, name = server
        return list(cluster.list(PODS, namespace, labels=f"{COMPONENT}=server,{SERVER}={name}"))
    except ClusterRefused as error:
        notice(f"the server's logs are not shown: {error.message}")
        return []


def read_logs(
    cluster: Streams, sources: list[LogSource], request: LogRequest, notice: Callable[[str], None]
) -> list[Written]:
    """What is there now, in order of time."""
    lines: list[Written] = []
    for source in sources:
        query = LogQuery(source.container, previous=request.previous, tail=request.tail)
        try:
            found = list(cluster.log(source.namespace, source.pod, query))
        except ClusterRefused as error:
            notice(f"{source.label}: {error.message}")
            continue
        lines += [Written(source, time, text) for time, text in found]
    return sorted(lines, key=lambda line: sort_key(line.time))


@dataclass(slots=True)
class LogFollowing:
    """Follows a job's logs until the job has ended and its pods have said their last.

    A server's log goes on for other jobs, so it is not waited for.
    """

    cluster: Streams
    job: JobState
    request: LogRequest
    notice: Callable[[str], None]
    _lines: queue.Queue[Written] = field(default_factory=queue.Queue)
    _streams: dict[tuple[str, str], threading.Thread] = field(default_factory=dict)
    _servers: set[tuple[str, str]] = field(default_factory=set)
    _reported: set[str] = field(default_factory=set)

    def lines(self) -> Iterator[Written]:
        """Lines as they come."""
        while not self._list():
            yield from self._received()
        while any(thread.is_alive() for key, thread in self._streams.items() if key not in self._servers):
            yield from self._received()
        for key in self._servers:  # one that was met only now has a moment to say what it has
            self._streams[key].join(_LAST_LINES_S / len(self._servers))
        for _ in range(self._lines.qsize()):
            yield self._lines.get()

    def _received(self) -> Iterator[Written]:
        """The lines that are there now, and those that come before it is time to look again."""
        with suppress(queue.Empty):
            yield self._lines.get(timeout=_LIST_EVERY_S)
            for _ in range(self._lines.qsize()):
                yield self._lines.get_nowait()

    def _list(self) -> bool:
        """Begins to follow what is new; whether the job has ended."""
        try:
            stored = self.cluster.get(VIDEOJOBS, self.job.namespace, self.job.name)
            sources = find_sources(self.cluster, self.job, self.request, self._tell_once)
        except ClusterUnavailable as error:
            self._tell_once(f"no answer from the API server, retrying: {error.message}")
            return False
        for source in sources:
            self._follow(source)
        return stored is None or stored["metadata"].get("uid") != self.job.uid or job_state(stored).has_ended

    def _follow(self, source: LogSource) -> None:
        key = (source.uid, source.container)
        if key in self._streams:
            return
        if not source.has_begun:
            if source.waits:
                self._tell_once(f"{source.label} waits: {source.waits}")
            return
        if len(self._streams) >= MOST_STREAMS:
            self._tell_once(f"only {MOST_STREAMS} containers are followed: choose with --component")
            return
        if source.component == "server":
            self._servers.add(key)
        thread = threading.Thread(target=self._stream, args=(source,), daemon=True)
        self._streams[key] = thread
        thread.start()

    def _stream(self, source: LogSource) -> None:
        """One container's log to its end; what came twice over a lost connection is dropped."""
        last = ("", "")
        query = LogQuery(source.container, follow=True, tail=self.request.tail)
        while True:
            try:
                for time, text in self.cluster.log(source.namespace, source.pod, query):
                    if time and sort_key(time) <= last:
                        continue
                    if time:
                        last = sort_key(time)
                        query = replace(query, tail=None, since=time)
                    self._lines.put(Written(source, time, text))
                if self._has_ended(source):
                    return
            except ClusterUnavailable as error:
                self._tell_once(f"{source.label}: the log stream broke off, retrying: {error.message}")
            except ClusterRefused as error:
                self._tell_once(f"{source.label}: {error.message}")
                return
            threading.Event().wait(_WAIT_S)

    def _has_ended(self, source: LogSource) -> bool:
        pod = self.cluster.get(PODS, source.namespace, source.pod)
        if pod is None or pod["metadata"].get("uid") != source.uid:
            return True
        return all(one.has_ended for one in log_sources([pod]) if one.container == source.container)

    def _tell_once(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self.notice(text)
