"""What of a decision is worth an Event of Kubernetes: what has changed since the stored status. Pure.

The same Event is desired again until the status is stored, which may take several reconciles; its name is made from its
message, so that it exists once. What changes with every reconcile, as the NodeClaim that starts, is in the status only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from videojob.api.status import Condition
from videojob.api.units import Duration
from videojob.planning.placement.unsupported import ignored_on_clusters
from videojob.planning.state.desired import ConditionDesired, Desired, EventDesired
from videojob.planning.state.snapshot import Snapshot
from videojob.reasons import REASONS, Phase

_NODES = {"ProvisioningGPU": "a GPU node", "ProvisioningCPU": "a CPU node"}
_STAGES = frozenset({"Probing", "LoadingModel", "Processing", "Aggregating"})
_BAD_CAPACITY = frozenset({"InsufficientCapacity", "ImagePullFailed", "CreationRefused"})


def events_of(snapshot: Snapshot, desired: Desired, of_backend: Iterable[EventDesired]) -> tuple[EventDesired, ...]:
    """Events to post, in the order of what happened.

    Args:
        snapshot: of the job.
        desired: what was decided from it.
        of_backend: those of the backend.
    """
    found: list[EventDesired] = []
    known, spec = snapshot.last_status.conditions, snapshot.job.spec
    if snapshot.is_resumed:
        found.append(_resumed(snapshot))
    if "Succeeded" not in known and not desired.ended:
        found += [
            EventDesired("Warning", "FieldIgnored", f"{field} has no effect on a cluster in this version")
            for field in ignored_on_clusters(spec)
        ]
    for one in desired.conditions:
        before = known.get(one.type)
        if before is None or before.status != one.status or before.reason != one.reason:
            found += _condition(one, before)
    found += of_backend
    if spec.deadline is not None:
        found += _deadline(snapshot, desired, spec.deadline.complete_within)
    if "Succeeded" not in known or known["Succeeded"].reason != desired.reason:
        found.append(_reason(snapshot, desired))
    return tuple(found)


def _resumed(snapshot: Snapshot) -> EventDesired:
    results, head = snapshot.observed.results, snapshot.observed.head
    kept = f", {len(results.committed)} of {head.segments} segments are kept" if results and head else ""
    return EventDesired("Normal", "Resumed", f"spec.resumes is {snapshot.job.spec.resumes}: the job resumes{kept}")


def _reason(snapshot: Snapshot, desired: Desired) -> EventDesired:
    info = REASONS[desired.reason]
    if desired.reason in _NODES:
        return EventDesired("Normal", "NodeRequested", f"{_NODES[desired.reason]} is needed for {_who_waits(snapshot)}")
    if desired.reason in _STAGES:
        return EventDesired("Normal", desired.reason, info.meaning)
    is_bad = info.phase is Phase.FAILED or desired.reason == "Stalled"
    return EventDesired("Warning" if is_bad else "Normal", desired.reason, desired.message)


def _who_waits(snapshot: Snapshot) -> str:
    """For whom a node is needed."""
    if snapshot.observed.head is None:
        return "the planner"
    server = snapshot.observed.server
    return "the inference server" if server is None or server.ready == 0 else "workers"


def _condition(one: ConditionDesired, before: Condition | None) -> Iterator[EventDesired]:
    """Of a condition that is new or has changed."""
    became_true = one.status == "True" and (before is None or before.status != "True")
    if one.type == "CapacityReady" and one.reason in _BAD_CAPACITY:
        yield EventDesired("Warning", one.reason, one.message)
    elif one.type == "CapacityReady" and became_true and one.message:
        yield EventDesired("Normal", "NodeReady", one.message)
    elif one.type == "ServerReady" and became_true:
        yield EventDesired("Normal", "ModelReady", one.message)
    elif one.type == "Suspended" and one.status == "False" and before is not None and before.status == "True":
        by_kueue = before.reason == "Queued"
        words = "Kueue admitted the job" if by_kueue else "spec.suspend is false: the job resumes"
        yield EventDesired("Normal", "Admitted" if by_kueue else "Resumed", words)


def _deadline(snapshot: Snapshot, desired: Desired, within: Duration) -> Iterator[EventDesired]:
    started_s, progress = snapshot.last_status.counts_from_s, desired.progress
    if started_s is None or progress is None or progress.remaining_s is None:
        return
    if snapshot.now_s + progress.remaining_s > started_s + float(within.seconds):
        words = f"at the present rate the results come later than completeWithin {within} asks"
        yield EventDesired("Warning", "DeadlineAtRisk", words)
