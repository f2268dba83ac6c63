"""Whose logs tell about a VideoJob: its pods' and its server's containers, from stored objects. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from videojob.kube.names import ATTEMPT, COMPONENT, CONTAINER, SERVER_CONTAINER

Object = Mapping[str, Any]
Component = Literal["planner", "worker", "server"]
_MAIN = frozenset({CONTAINER, SERVER_CONTAINER})
_SERVER_FLAG = "--server="


@dataclass(frozen=True, slots=True)
class LogSource:
    """One container.

    Attributes:
        uid: of its pod: a pod that is recreated under its name is another one.
        has_begun: there is a log. has_ended: nothing more will come.
        has_previous: it was started again, and the log before that is available.
        waits: why it has not begun, as Kubernetes reports it.
    """

    namespace: str
    pod: str
    uid: str
    container: str
    component: str
    has_begun: bool
    has_ended: bool
    has_previous: bool
    waits: str = ""

    @property
    def label(self) -> str:
        """What its lines begin with: the pod, and the container unless it is the one that works."""
        return self.pod if self.container in _MAIN else f"{self.pod}/{self.container}"


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which part of a pod's log.

    Attributes:
        container: its name. follow: go on while it runs. previous: of the container before the last restart.
        tail: only so many lines of the end; None for all.
        since: only lines of this time and later, as Kubernetes writes it; "" for all.
    """

    container: str
    follow: bool = False
    previous: bool = False
    tail: int | None = None
    since: str = ""


def log_sources(pods: Iterable[Object]) -> list[LogSource]:
    """Every container of these pods, those that run first in a pod before the others."""
    return [source for pod in pods for source in _of_pod(pod)]


def server_of(jobs: Iterable[Object]) -> tuple[str, str] | None:
    """(namespace, name) of the server that a VideoJob's workers send to, from its Jobs; None before there are workers.

    The newest attempt counts. An address is NAME.NAMESPACE.svc:PORT.
    """
    found = [
        (int((job["metadata"].get("labels") or {}).get(ATTEMPT, "1")), argument.removeprefix(_SERVER_FLAG))
        for job in jobs
        for container in job["spec"]["template"]["spec"].get("containers") or ()
        for argument in container.get("args") or ()
        if argument.startswith(_SERVER_FLAG)
    ]
    if not found:
        return None
    name, _, rest = max(found)[1].partition(".")
    namespace = rest.partition(".")[0]
    return (namespace, name) if name and namespace else None


def _of_pod(pod: Object) -> list[LogSource]:
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    statuses = {
        one["name"]: one for part in ("initContainerStatuses", "containerStatuses") for one in status.get(part) or ()
    }
    is_over = status.get("phase") in {"Succeeded", "Failed"}
    names = [one["name"] for part in ("initContainers", "containers") for one in spec.get(part) or ()]
    component = str((metadata.get("labels") or {}).get(COMPONENT, ""))
    made = []
    for name in names:
        seen = statuses.get(name) or {}
        state = seen.get("state") or {}
        waiting = state.get("waiting") or {}
        has_previous = bool((seen.get("lastState") or {}).get("terminated"))
        made.append(
            LogSource(
                namespace=metadata["namespace"],
                pod=metadata["name"],
                uid=str(metadata.get("uid", "")),
                container=name,
                component=component,
                has_begun="running" in state or "terminated" in state or has_previous,
                has_ended=is_over or "terminated" in state,
                has_previous=has_previous,
                waits=_waits(waiting, status) if "running" not in state and "terminated" not in state else "",
            )
        )
    return made


def _waits(waiting: Object, status: Object) -> str:
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason:
        return f"{reason}: {message}" if message else str(reason)
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return str(status.get("phase") or "Pending")
