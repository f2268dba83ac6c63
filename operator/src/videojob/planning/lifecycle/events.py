"""What of a decision is worth an Event of Kubernetes: what has changed since the stored status. Pure.

The same Event is desired again until the status is stored, which may take several reconciles; its name is made from its
message, so that it exists once. What changes with every reconcile, as the NodeClaim that starts, is in the status only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from videojob.planning.placement.unsupported import ignored_on_clusters
from videojob.planning.state.desired import Desired, EventDesired
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
    before, after = (_resumed, _ignored, _conditions), (_deadline, _reason)
    news = [one for kind in before for one in kind(snapshot, desired)]
    return (*news, *of_backend, *(one for kind in after for one in kind(snapshot, desired)))


def _resumed(snapshot: Snapshot, desired: Desired) -> Iterator[EventDesired]:  # noqa: ARG001 - as all of them
    if not snapshot.is_resumed:
        return
    results, head = snapshot.observed.results, snapshot.observed.head
    kept = f", {len(results.committed)} of {head.segments} segments are kept" if results and head else ""
    yield EventDesired("Normal", "Resumed", f"spec.resumes is {snapshot.job.spec.resumes}: the job goes on{kept}")


def _reason(snapshot: Snapshot, desired: Desired) -> Iterator[EventDesired]:
    if snapshot.last_status.status_of("Succeeded") and snapshot.last_status.reason == desired.reason:
        return
    info = REASONS[desired.reason]
    if desired.reason in _NODES:
        yield EventDesired("Normal", "NodeRequested", f"{_NODES[desired.reason]} is needed for {_who_waits(snapshot)}")
    elif desired.reason in _STAGES:
        yield EventDesired("Normal", desired.reason, info.meaning)
    else:
        is_bad = info.phase is Phase.FAILED or desired.reason == "Stalled"
        yield EventDesired("Warning" if is_bad else "Normal", desired.reason, desired.message)


def _who_waits(snapshot: Snapshot) -> str:
    """For whom a node is needed."""
    if snapshot.observed.head is None:
        return "the planner"
    server = snapshot.observed.server
    return "the inference server" if server is None or server.ready == 0 else "workers"


def _conditions(snapshot: Snapshot, desired: Desired) -> Iterator[EventDesired]:
    for one in desired.conditions:
        before = snapshot.last_status.conditions.get(one.type)
        same = before is not None and before.status == one.status and before.reason == one.reason
        if same:
            continue
        became_true = one.status == "True" and (before is None or before.status != "True")
        if one.type == "CapacityReady" and one.reason in _BAD_CAPACITY:
            yield EventDesired("Warning", one.reason, one.message)
        elif one.type == "CapacityReady" and became_true and one.message:
            yield EventDesired("Normal", "NodeReady", one.message)
        elif one.type == "ServerReady" and became_true:
            yield EventDesired("Normal", "ModelReady", one.message)
        elif one.type == "Suspended" and one.status == "False" and before is not None and before.status == "True":
            by_kueue = before.reason == "Queued"
            words = "Kueue has admitted the job" if by_kueue else "spec.suspend is false: the job goes on"
            yield EventDesired("Normal", "Admitted" if by_kueue else "Resumed", words)


def _deadline(snapshot: Snapshot, desired: Desired) -> Iterator[EventDesired]:
    deadline, started_s, progress = snapshot.job.spec.deadline, snapshot.last_status.counts_from_s, desired.progress
    if deadline is None or started_s is None or progress is None or progress.remaining_s is None:
        return
    if snapshot.now_s + progress.remaining_s > started_s + float(deadline.complete_within.seconds):
        words = f"at the present rate the results come later than completeWithin {deadline.complete_within} asks"
        yield EventDesired("Warning", "DeadlineAtRisk", words)


def _ignored(snapshot: Snapshot, desired: Desired) -> Iterator[EventDesired]:
    if snapshot.last_status.status_of("Succeeded") or desired.ended:
        return
    for field in ignored_on_clusters(snapshot.job.spec):
        yield EventDesired("Warning", "FieldIgnored", f"{field} has no effect on a cluster in this version")
