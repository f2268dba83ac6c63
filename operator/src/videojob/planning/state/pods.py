"""Pods as a backend: a planner's Job and Indexed Jobs of workers, as they are observed and as they are desired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Any, Literal

from videojob.planning.state.backend import BackendObserved
from videojob.planning.state.observed import PodProblem
from videojob.planning.state.placement import RecordedPlacement, ServerKey

Work = Literal["plan", "work"]
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""With it, Kueue admits the workers' Job."""


@dataclass(frozen=True, slots=True)
class JobObserved:
    """One Kubernetes Job of a VideoJob.

    Attributes:
        name: of the Job. kind: what it does. attempt: its number, from 1.
        suspended: as its spec says. deleting: it is on its way out.
        active, ready, succeeded, failed: pods, as its status counts them.
        parallelism, completions: as its spec says.
        completed_indexes: of its status, as in "0-3,7".
        finished: "Complete", "Failed", or None while it works. reason, message: of that condition.
        started_s: when it was last let go. finished_s: when it ended.
        error: `VideoJobError.as_dict()` of the last pod that told one, or None.
        problem: why its pods do not run, if they do not.
        epoch, batch: as its annotations say, of a work Job; 0 for a plan Job.
        disrupted: pods that were taken away: spot capacity, eviction, preemption.
        server: that its pods send frames to, of a work Job, as its annotation says; None where it says nothing.
        why: the reason of that placement, "" where it says nothing.
        replica_frames_per_s: that the placement expected of one replica; None where it says nothing.
        file: name of the ConfigMap that its pods read.
        unlocked: made by an earlier release, which did not wait until the spec could not change any more: its pods may
            read an older spec than the job has now.
    """

    name: str
    kind: Work
    attempt: int
    suspended: bool
    deleting: bool = False
    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    parallelism: int = 1
    completions: int = 1
    completed_indexes: str = ""
    finished: Literal["Complete", "Failed"] | None = None
    reason: str = ""
    message: str = ""
    started_s: float | None = None
    finished_s: float | None = None
    error: Mapping[str, Any] | None = None
    problem: PodProblem | None = None
    epoch: int = 0
    batch: int = 0
    disrupted: int = 0
    server: ServerKey | None = None
    why: str = ""
    replica_frames_per_s: Fraction | None = None
    file: str = ""
    unlocked: bool = False


@dataclass(frozen=True, slots=True)
class PodsObserved:
    """A VideoJob's Jobs: `BackendObserved`, which says what the other attributes mean.

    Attributes:
        plan, work: the planner's and the workers', the oldest first, also those on their way out.
        must_stop: the job's namespace is being deleted, and a pod of the job holds that up.
    """

    plan: tuple[JobObserved, ...] = ()
    work: tuple[JobObserved, ...] = ()
    must_stop: bool = False
    is_working: bool = False
    has_ended: bool = False
    epoch: int = 0
    mark: str = ""

    @classmethod
    def from_jobs(cls, jobs: Iterable[JobObserved], *, namespace_ends: bool = False) -> PodsObserved:
        """Of Jobs in any order."""
        found = sorted(jobs, key=attrgetter("attempt"))
        work = tuple(one for one in found if one.kind == "work")
        return cls(
            plan=tuple(one for one in found if one.kind == "plan"),
            work=work,
            must_stop=namespace_ends,
            is_working=any(one.finished is None and not one.suspended for one in work),
            has_ended=any(one.finished is not None for one in work),
            epoch=max((one.epoch for one in work), default=0),
            mark=" ".join(f"{one.name}:{one.completed_indexes}:{one.finished}" for one in work),
        )

    @classmethod
    def of(cls, observed: BackendObserved) -> PodsObserved:
        """The value itself. Raises TypeError: it is another backend's."""
        if not isinstance(observed, cls):
            raise TypeError(f"pods cannot be decided from {type(observed).__name__}")
        return observed

    @property
    def jobs(self) -> tuple[JobObserved, ...]:
        """All of them."""
        return (*self.plan, *self.work)

    @property
    def placements(self) -> list[RecordedPlacement]:
        """See `BackendObserved`."""
        return [
            RecordedPlacement(one.server, one.epoch, one.why, one.replica_frames_per_s)
            for one in self.work
            if one.server is not None
        ]

    def has_started(self, epoch: int) -> bool:
        """See `BackendObserved`."""
        return any(one.epoch >= epoch and (one.finished is not None or not one.suspended) for one in self.work)

    def latest(self, epoch: int) -> JobObserved | None:
        """The workers' newest Job of an epoch that is not on its way out."""
        return next((one for one in reversed(self.work) if one.epoch == epoch and not one.deleting), None)

    def segments_done(self, epoch: int) -> int:
        """See `BackendObserved`."""
        latest = self.latest(epoch)
        return 0 if latest is None else index_count(latest.completed_indexes) * latest.batch

    def plan_attempt(self, *, has_begun: bool) -> int | None:
        """See `BackendObserved`; a plan of an unlocked planner may be of an older spec."""
        if not self.plan:
            return 1
        latest = self.plan[-1]
        return None if latest.unlocked and not has_begun and not self.work else latest.attempt


def index_count(indexes: str) -> int:
    """How many indexes a Job's status names, as in "0-3,7"; 0 for what cannot be read."""
    count = 0
    for part in indexes.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            count += max(0, int(last or first) - int(first) + 1)
    return count


@dataclass(frozen=True, slots=True)
class PlannerDesired:
    """A planner must run."""

    attempt: int
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class WorkersDesired:
    """Workers must run, or stand by.

    Attributes:
        attempt: of the Job. plan_attempt, epoch: whose plan they work on, and as which run.
        batch: segments of one index. completions: indexes.
        server: that they send frames to.
        parallelism: concurrent workers.
        suspended: True holds them; None leaves that to Kueue.
        why: the reason of the placement, for people. replica_frames_per_s: that it expects of a replica; None where it
            goes by the installation's figure.
        backstop_s: work of so long is a fault: Kubernetes ends it even where no controller does.
    """

    attempt: int
    plan_attempt: int
    epoch: int
    server: ServerKey
    batch: int
    completions: int
    parallelism: int
    suspended: bool | None
    why: str = ""
    replica_frames_per_s: Fraction | None = None
    backstop_s: int = 10 * 86_400


@dataclass(frozen=True, slots=True)
class PodsDesired:
    """`BackendDesired`.

    Attributes:
        planner, workers: that must be there; None wants none made and leaves an old one alone.
        remove: names of Jobs to delete, with their pods.
    """

    planner: PlannerDesired | None = None
    workers: WorkersDesired | None = None
    remove: tuple[str, ...] = ()

    @property
    def starts(self) -> bool:
        """See `BackendDesired`."""
        return self.planner is not None or self.workers is not None
