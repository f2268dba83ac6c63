"""What the controller observed in the cluster and in the results table: the input of `planning.lifecycle`.

Times are seconds since the epoch, UTC. Nothing here is remembered between two reconciles: a restarted controller
observes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from videojob.planning.installation import CapacityType
from videojob.planning.state.backend import BackendObserved
from videojob.planning.state.placement import Place
from videojob.video.plan import PlanHead

NODE_PROVISIONING = "node on its way"
"""The source of a problem that the node provisioner is about to solve."""


@dataclass(frozen=True, slots=True)
class PodProblem:
    """Why pods do not run, in the words of whoever refused.

    Attributes:
        kind: "refused" (Kubernetes makes no pod), "unschedulable" (no node has room or may be made), "image" (cannot
            be pulled), "crashed" (a container ended in an error), "starting" (it is on its way: nothing is wrong).
        message: the scheduler's, Karpenter's, the kubelet's or the program's own words; the end of its log.
        since_s: since when.
        source: who says so: "scheduler", "karpenter" or "cluster-autoscaler" when they provision no node,
            `NODE_PROVISIONING` when they do; a container's name.
        exit_code: of the container that ended; None for the others.
        restarts: how often it was started again.
        retryable: the program itself said that the same again may help.
    """

    kind: Literal["refused", "unschedulable", "image", "crashed", "starting"]
    message: str
    since_s: float
    source: str = ""
    exit_code: int | None = None
    restarts: int = 0
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class ServerObserved:
    """One Triton Deployment.

    Attributes:
        replicas: as its spec says. ready: pods that answer for the model.
        problem: why the others do not.
        idle_since_s: since when no job needed it, as noted on the Deployment; None while one does.
        instance_type, capacity_type, zone: of the node that a pod runs on, when there is one.
        placed: pods that have a node.
    """

    replicas: int
    ready: int
    problem: PodProblem | None = None
    idle_since_s: float | None = None
    instance_type: str | None = None
    capacity_type: CapacityType | None = None
    zone: str | None = None
    placed: int = 0


@dataclass(frozen=True, slots=True)
class FailureObserved:
    """A video's recorded failure: in which segment, and `VideoJobError.as_dict()`."""

    segment: int
    video: int
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResultsObserved:
    """What the table has of a job.

    Attributes:
        epoch: that was begun for the plan, 0 before.
        committed: indexes of stored segments. failures: recorded ones.
        finished: state of the stored summary ("Completed", "PartiallyCompleted", "Failed"), None before.
        message: the summary's.
        frames_done: frames selected, of the finished summary; None before.
        open: folding was tried just now, and segments were not settled.
        reason: of the first input that failed, when the state is "Failed".
        conflicts: segments that had a second, different result.
    """

    epoch: int = 0
    committed: frozenset[int] = frozenset()
    failures: tuple[FailureObserved, ...] = ()
    finished: str | None = None
    message: str = ""
    frames_done: int | None = None
    open: bool = False
    reason: str = ""
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """All that one decision about one VideoJob takes.

    Attributes:
        backend: what runs it, as that backend observed it.
        head: of its plan, None before there is one.
        results: from the table, None before an epoch was begun.
        server: that it would use; None when there is none.
        store_error: why the table cannot be used now, as text; decisions that need it wait.
        store_refusal: `VideoJobError.as_dict()` of a fault in what is stored, which no waiting cures.
        others: frames per second that every other job of its server could send there; None where not all are known.
        placement: where the job's frames go; None where nothing is decided from it, as for a job that is over.
        cannot_run: `VideoJobError.as_dict()` of why this installation cannot run the job.
    """

    backend: BackendObserved
    head: PlanHead | None = None
    results: ResultsObserved | None = None
    server: ServerObserved | None = None
    store_error: str = ""
    store_refusal: Mapping[str, Any] | None = None
    others: tuple[Fraction, ...] | None = None
    placement: Place | None = None
    cannot_run: Mapping[str, Any] | None = None
