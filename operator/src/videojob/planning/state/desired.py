"""What should exist: decided by `planning.lifecycle`, rendered by `kube.render`, applied by the controller.

Frozen values that know neither Kubernetes objects nor the backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from videojob.planning.state.backend import BackendDesired
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.stall import NO_STALL, Stall

ConditionStatus = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class ConditionDesired:
    """One condition of the status, without its times."""

    type: Literal["Succeeded", "CapacityReady", "ServerReady", "Suspended"]
    status: ConditionStatus
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServerDemand:
    """What one job needs of its server now.

    Attributes:
        key: which server.
        frames_per_second: to meet its deadline or to keep its workers busy.
        frames_left: that are not answered yet.
        max_replicas: most replicas that the job's limits allow; None for no bound.
        busy: workers are at it: the server must not go to zero.
        usable: frames per second that its workers could send, with all that the job's limits allow; None where nobody
            has told.
        replica_frames_per_s: what one replica answers, as the job's placement expects it; None leaves it to the
            installation's figure.
    """

    key: ServerKey
    frames_per_second: Fraction
    frames_left: int
    max_replicas: int | None = None
    busy: bool = True
    usable: Fraction | None = None
    replica_frames_per_s: Fraction | None = None


@dataclass(frozen=True, slots=True)
class ProgressDesired:
    """How far the job is, for the status; None where it is not known."""

    frames_done: int
    frames_total: int | None
    segments_done: int
    segments_total: int | None
    remaining_s: int | None = None
    frames_per_second: Fraction | None = None


@dataclass(frozen=True, slots=True)
class EventDesired:
    """Something worth an Event of Kubernetes."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Desired:
    """What the controller should do about one VideoJob, all of it idempotent.

    Attributes:
        reason: the one word that `kubectl get vj` shows, of videojob.reasons. message: the same for a person.
        why: of the place that was chosen, "" before there is one.
        conditions: all of them, Succeeded first.
        started: startTime must be set (when it is not yet).
        ended: the job is over; completionTime must be set.
        backend: what runs the job has to do; None when it is left alone.
        begin: an epoch must be begun in the table for the plan.
        finalise: commits must be folded and the summary stored.
        demand: on a server; None when none is needed.
        progress: for the status.
        delete_self: the time to live is over.
        requeue_s: reconcile again after this long even without an event; None when only an event can change anything.
        events: to post, once each (the same words are not posted twice).
        stall: paid time without a commit, for the status.
    """

    reason: str
    message: str
    conditions: tuple[ConditionDesired, ...]
    started: bool = False
    ended: bool = False
    backend: BackendDesired | None = None
    begin: bool = False
    finalise: bool = False
    demand: ServerDemand | None = None
    progress: ProgressDesired | None = None
    delete_self: bool = False
    requeue_s: float | None = None
    events: tuple[EventDesired, ...] = ()
    why: str = ""
    stall: Stall = NO_STALL
