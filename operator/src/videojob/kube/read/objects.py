"""Kubernetes objects as the API server gives them -> the values that decisions are made from. PURE."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from videojob.kube.names import (
    ATTEMPT,
    BATCH,
    COMPONENT,
    EPOCH,
    IDLE_SINCE,
    PLACEMENT_REASON,
    REPLICA_SPEED,
    SERVER_KEY,
    server_key_from_text,
)
from videojob.kube.read.triton_log import triton_words
from videojob.kube.render.pods import CAPACITY_TYPE, INSTANCE_TYPE, ZONE
from videojob.planning.state.last_status import seconds_of
from videojob.planning.state.observed import NODE_PROVISIONING, PodProblem, ServerObserved
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.pods import JobObserved

Object = Mapping[str, Any]

_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"}
)
_ON_THE_WAY = frozenset({"Nominated", "TriggeredScaleUp"})
_WORDS_CHARACTERS = 1500
_OLD_FILE = "-job"
"""How a ConfigMap's name ended before it was made from the content, and before a spec was locked ahead of it."""
NOT_MADE = "FailedCreate"
"""The reason of Events about a Job whose pods the API server refuses."""


def job_observed(job: Object, pods: Sequence[Object] = (), events: Sequence[Object] = ()) -> JobObserved:
    """A Job, with its pods and the events about it and those; without both as it is by itself."""
    metadata, spec, status = job["metadata"], job["spec"], job.get("status", {})
    annotations = metadata.get("annotations", {})
    tells = bool(pods or events)
    finished: Object = _ending(status)
    return JobObserved(
        name=metadata["name"],
        kind="plan" if metadata["labels"].get(COMPONENT) == "planner" else "work",
        attempt=int(metadata["labels"].get(ATTEMPT, "1")),
        suspended=bool(spec.get("suspend", False)),
        deleting="deletionTimestamp" in metadata,
        active=int(status.get("active", 0)),
        ready=int(status.get("ready", 0)),
        succeeded=int(status.get("succeeded", 0)),
        failed=int(status.get("failed", 0)),
        parallelism=int(spec.get("parallelism", 1)),
        completions=int(spec.get("completions", 1)),
        completed_indexes=str(status.get("completedIndexes", "")),
        finished=finished.get("type"),
        reason=str(finished.get("reason", "")),
        message=str(finished.get("message", "")),
        started_s=_time(status.get("startTime")),
        finished_s=_time(finished.get("lastTransitionTime")),
        error=last_error(pods) if tells else None,
        problem=(pods_problem(pods, events) or _not_made(job, pods, events)) if tells else None,
        epoch=int(annotations.get(EPOCH, "0")),
        batch=int(annotations.get(BATCH, "0")),
        disrupted=sum(_has(pod, "DisruptionTarget") for pod in pods),
        server=server_of(job),
        why=str(annotations.get(PLACEMENT_REASON, "")),
        replica_frames_per_s=_speed(annotations.get(REPLICA_SPEED)),
        file=(file := _file(spec)),
        unlocked=file.endswith(_OLD_FILE),
    )


def _speed(text: str | None) -> Fraction | None:
    """Frames per second that an annotation says; None where it says none."""
    try:
        found = None if text is None else Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return found if found is not None and found > 0 else None


def _file(spec: Object) -> str:
    """Name of the ConfigMap that a Job's pods read; "" when they read none."""
    volumes = spec.get("template", {}).get("spec", {}).get("volumes", ())
    return next((str(one["configMap"]["name"]) for one in volumes if "configMap" in one), "")


def server_of(value: Object) -> ServerKey | None:
    """The server's key that a Deployment or a work Job carries; None when it carries none that can be read."""
    text = value["metadata"].get("annotations", {}).get(SERVER_KEY)
    try:
        return None if text is None else server_key_from_text(text)
    except (KeyError, ValueError, TypeError):
        return None


def has_ended(job: Object) -> bool:
    """Whether a Job is over."""
    return bool(_ending(job.get("status", {})))


def _ending(status: Object) -> Object:
    """The condition that says how a Job ended; empty while it works."""
    for condition in status.get("conditions", ()):
        if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
            return dict(condition)
    return {}


def server_observed(
    deployment: Object, pods: Iterable[Object], events: Iterable[Object] = (), nodes: Mapping[str, Object] | None = None
) -> ServerObserved:
    """A server's Deployment, with its pods, the events about those and the nodes by name."""
    metadata, status = deployment["metadata"], deployment.get("status", {})
    pods = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    idle = metadata.get("annotations", {}).get(IDLE_SINCE)
    labels = _node_labels(pods, nodes or {})
    return ServerObserved(
        replicas=int(deployment["spec"].get("replicas", 0)),
        ready=int(status.get("readyReplicas", 0)),
        problem=pods_problem(pods, events) or _replicas_not_made(deployment),
        idle_since_s=None if idle is None else float(idle),
        instance_type=labels.get(INSTANCE_TYPE),
        capacity_type=labels.get(CAPACITY_TYPE),
        zone=labels.get(ZONE),
        placed=sum("nodeName" in pod.get("spec", {}) for pod in pods),
    )


def _node_labels(pods: Sequence[Object], nodes: Mapping[str, Object]) -> dict[str, Any]:
    for pod in pods:
        node = nodes.get(pod.get("spec", {}).get("nodeName", ""))
        if node is not None:
            return dict(node["metadata"].get("labels", {}))
    return {}


def last_error(pods: Iterable[Object]) -> Mapping[str, Any] | None:
    """`VideoJobError.as_dict()` of the pod that ended last and told one."""
    listed: list[tuple[str, Mapping[str, Any]]] = []
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", ()):
            ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
            error = None if ended is None else _error(str(ended.get("message", "")))
            if ended is not None and error is not None:
                listed.append((str(ended.get("finishedAt", "")), error))
    return max(listed, key=lambda one: one[0])[1] if listed else None


def _error(text: str) -> Mapping[str, Any] | None:
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return values if isinstance(values, dict) and isinstance(values.get("reason"), str) else None


def pods_problem(pods: Iterable[Object], events: Iterable[Object] = ()) -> PodProblem | None:
    """Why pods do not run: the worst of them speaks for all; None when every one runs or has ended well.

    A pod that has failed for good is history as soon as another one stands in for it.
    """
    pods = list(pods)
    pods = [pod for pod in pods if pod.get("status", {}).get("phase") not in {"Failed", "Succeeded"}] or pods
    by_pod: dict[str, list[Object]] = {}
    for event in events:
        by_pod.setdefault(str(event.get("involvedObject", {}).get("uid", "")), []).append(event)
    found = [
        problem
        for pod in pods
        if (problem := _problem(pod, by_pod.get(pod["metadata"].get("uid", ""), ()))) is not None
    ]
    order = ("crashed", "image", "unschedulable", "starting")
    return min(found, key=lambda one: (order.index(one.kind), one.since_s), default=None)


def needs_pods(job: Object) -> bool:
    """Whether its pods can tell something: why they do not run, or why the Job failed."""
    status = job.get("status", {})
    ended_well = any(one["type"] == "Complete" and one["status"] == "True" for one in status.get("conditions", ()))
    all_ready = status.get("active", 0) == status.get("ready", 0) and not status.get("failed", 0)
    return not ended_well and not job["spec"].get("suspend", False) and not (status.get("active") and all_ready)


def may_lack_pods(job: Object) -> bool:
    """Whether it should have pods and has none that run: Events about the Job may then say why."""
    status = job.get("status", {})
    needs_pods = not job["spec"].get("suspend", False) and not _ending(status) and "startTime" in status
    return needs_pods and not status.get("active", 0)


def lingers(pod: Object) -> bool:
    """Whether it has ended, is to be deleted, and is kept by a finalizer."""
    metadata, phase = pod["metadata"], pod.get("status", {}).get("phase")
    return phase in {"Failed", "Succeeded"} and "deletionTimestamp" in metadata and bool(metadata.get("finalizers"))


def _not_made(job: Object, pods: Sequence[Object], events: Iterable[Object]) -> PodProblem | None:
    """Why Kubernetes makes no pod of a Job, by the newest Event that is not older than its last pod and start."""
    if not may_lack_pods(job):
        return None
    uid, since = job["metadata"].get("uid", ""), str(job["status"]["startTime"])
    last = max([since, *(str(pod["metadata"].get("creationTimestamp", "")) for pod in pods)])
    about = [one for one in events if one.get("involvedObject", {}).get("uid") == uid and one["reason"] == NOT_MADE]
    newest = max(about, key=_when, default=None)
    if newest is None or _when(newest) < last:
        return None
    return PodProblem("refused", _refusal(newest.get("message", "")), _time(newest.get("firstTimestamp")) or 0.0)


def _replicas_not_made(deployment: Object) -> PodProblem | None:
    for one in deployment.get("status", {}).get("conditions", ()):
        if one["type"] == "ReplicaFailure" and one["status"] == "True" and deployment["spec"].get("replicas"):
            return PodProblem("refused", _refusal(one.get("message", "")), _time(one.get("lastTransitionTime")) or 0.0)
    return None


def _refusal(message: object) -> str:
    return str(message).removeprefix("Error creating: ")[:_WORDS_CHARACTERS]


def _problem(pod: Object, events: Sequence[Object]) -> PodProblem | None:
    status = pod.get("status", {})
    created_s = _time(pod["metadata"].get("creationTimestamp")) or 0.0
    conditions = {one["type"]: one for one in status.get("conditions", ())}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        source, message = _node_report(events, str(scheduled.get("message", "")))
        return PodProblem("unschedulable", message, _time(scheduled.get("lastTransitionTime")) or created_s, source)
    statuses = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    if not scheduled and not statuses and "nodeName" not in pod.get("spec", {}):
        return PodProblem("unschedulable", "it was just created", created_s, "scheduler")
    for container in statuses:
        problem = _container_problem(container, created_s)
        if problem is not None:
            return problem
    if status.get("phase") == "Pending" or (status.get("phase") == "Running" and not _has(pod, "Ready")):
        return PodProblem("starting", "its containers are starting", created_s)
    return None


def _node_report(events: Sequence[Object], message: str) -> tuple[str, str]:
    """(source, words): the latest report of the node provisioner, else what the scheduler says."""
    said = [one for one in events if one.get("reason") in _ON_THE_WAY or _refuses(one)]
    if not said:
        return "scheduler", message
    newest = max(said, key=_when)
    words = str(newest.get("message", ""))[:_WORDS_CHARACTERS]
    if newest["reason"] in _ON_THE_WAY:
        return NODE_PROVISIONING, words
    return ("karpenter" if "karpenter" in _source(newest) else "cluster-autoscaler"), words


def _refuses(event: Object) -> bool:
    """Whether Karpenter or the cluster autoscaler says that it provisions no node."""
    reason = event.get("reason")
    return reason == "NotTriggerScaleUp" or (reason == "FailedScheduling" and "karpenter" in _source(event))


def _when(event: Object) -> str:
    times = (event.get("lastTimestamp"), event.get("series", {}).get("lastObservedTime"), event.get("eventTime"))
    return max(str(one or "") for one in times)


def _source(event: Object) -> str:
    return f"{event.get('reportingComponent', '')} {event.get('source', {}).get('component', '')}".lower()


def _container_problem(container: Object, created_s: float) -> PodProblem | None:
    state, restarts = container.get("state", {}), int(container.get("restartCount", 0))
    waiting = state.get("waiting", {})
    if waiting.get("reason") in _IMAGE_REASONS:
        words = f"{waiting['reason']}: {waiting.get('message', container.get('image', ''))}"
        return PodProblem("image", words[:_WORDS_CHARACTERS], created_s)
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
    if ended.get("exitCode", 0) != 0 and not container.get("ready", False):
        error = _error(str(ended.get("message", "")))
        words = str(ended.get("message") or ended.get("reason", "")) if error is None else str(error.get("message"))
        return PodProblem(
            "crashed",
            server_words(words, str(ended.get("reason", "")))[:_WORDS_CHARACTERS],
            _time(ended.get("finishedAt")) or created_s,
            str(container.get("name", "")),
            int(ended["exitCode"]),
            max(restarts, 1),
            retryable=error is not None and error.get("retryable") is True,
        )
    return None


def server_words(log: str, reason: str = "") -> str:
    """What a container said when it ended, and that the kernel ended it when it did: its log cannot know that.

    Args:
        log: the end of its log.
        reason: Kubernetes' word for the end.
    """
    words = triton_words(log)
    if reason != "OOMKilled" or words in {"", reason}:
        return words or reason
    return f"OOMKilled: it exceeded its memory limit; its last message: {words}"


def _has(pod: Object, condition: str) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)


def _time(text: object) -> float | None:
    return None if not isinstance(text, str) else seconds_of(text)
