"""What of a decision is worth an Event of Kubernetes: what has changed since the stored status. Pure.

The same news comes again until the status is stored, which may be some looks later; who posts it names the Event by
its words, so that it is one. What moves from look to look, as which NodeClaim is started, is for the status alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from videojob.planning.lifecycle.attempts import tries_of
from videojob.planning.lifecycle.conditions import Look
from videojob.planning.lifecycle.unsupported import ignored_on_clusters
from videojob.planning.state.desired import Desired, EventWanted
from videojob.reasons import REASONS, Phase

_NODES = {"ProvisioningGPU": "a GPU node", "ProvisioningCPU": "a CPU node"}
_STAGES = frozenset({"Probing", "LoadingModel", "Processing", "Aggregating"})
_BAD_CAPACITY = frozenset({"InsufficientCapacity", "ImagePullFailed", "CreationRefused"})


def news_of(look: Look, desired: Desired) -> tuple[EventWanted, ...]:
    """Events to post, in the order of what happened."""
    found = (_resumed, _ignored, _conditions, _workers, _deadline, _reason)
    return tuple(one for news in found for one in news(look, desired))


def _resumed(look: Look, desired: Desired) -> Iterator[EventWanted]:  # noqa: ARG001 - as all of them
    if not look.is_resumed:
        return
    results, head = look.observed.results, look.observed.head
    kept = f", {len(results.committed)} of {head.segments} segments are kept" if results and head else ""
    yield EventWanted("Normal", "Resumed", f"spec.resumes is {look.job.spec.resumes}: the job goes on{kept}")


def _reason(look: Look, desired: Desired) -> Iterator[EventWanted]:
    if look.recorded.status_of("Succeeded") and look.recorded.reason == desired.reason:
        return
    info = REASONS[desired.reason]
    if desired.reason in _NODES:
        yield EventWanted("Normal", "NodeRequested", f"{_NODES[desired.reason]} is needed for {_who_waits(look)}")
    elif desired.reason in _STAGES:
        yield EventWanted("Normal", desired.reason, info.meaning)
    else:
        is_bad = info.phase is Phase.FAILED or desired.reason == "Stalled"
        yield EventWanted("Warning" if is_bad else "Normal", desired.reason, desired.message)


def _who_waits(look: Look) -> str:
    """For whom a node is needed."""
    if look.observed.head is None:
        return "the planner"
    server = look.observed.server
    return "the inference server" if server is None or server.ready == 0 else "workers"


def _conditions(look: Look, desired: Desired) -> Iterator[EventWanted]:
    for one in desired.conditions:
        before = look.recorded.conditions.get(one.type)
        same = before is not None and before.status == one.status and before.reason == one.reason
        if same:
            continue
        became_true = one.status == "True" and (before is None or before.status != "True")
        if one.type == "CapacityReady" and one.reason in _BAD_CAPACITY:
            yield EventWanted("Warning", one.reason, one.message)
        elif one.type == "CapacityReady" and became_true and one.message:
            yield EventWanted("Normal", "NodeReady", one.message)
        elif one.type == "ServerReady" and became_true:
            yield EventWanted("Normal", "ModelReady", one.message)
        elif one.type == "Suspended" and one.status == "False" and before is not None and before.status == "True":
            by_kueue = before.reason == "Queued"
            words = "Kueue has admitted the job" if by_kueue else "spec.suspend is false: the job goes on"
            yield EventWanted("Normal", "Admitted" if by_kueue else "Resumed", words)


def _workers(look: Look, desired: Desired) -> Iterator[EventWanted]:
    wanted = desired.work_job
    if wanted is None:
        return
    if tries_of(wanted.attempt) > 1 and not any(one.attempt == wanted.attempt for one in look.jobs("work")):
        yield EventWanted("Warning", "SegmentRetried", f"segments are missing: Job {wanted.attempt} runs them again")
    running = next((one for one in look.jobs("work") if one.attempt == wanted.attempt and not one.deleting), None)
    if running is not None and running.disrupted:
        words = f"{running.disrupted} pods of {running.name} lost their node or their place; their segments run again"
        yield EventWanted("Normal", "Interrupted", words)
    if running is not None and running.failed:
        last = "" if running.error is None else f", the last with {running.error.get('reason')}"
        yield EventWanted("Warning", "SegmentRetried", f"{running.failed} pods of {running.name} failed{last}")


def _deadline(look: Look, desired: Desired) -> Iterator[EventWanted]:
    deadline, started_s, progress = look.job.spec.deadline, look.recorded.counts_from_s, desired.progress
    if deadline is None or started_s is None or progress is None or progress.remaining_s is None:
        return
    if look.now_s + progress.remaining_s > started_s + float(deadline.complete_within.seconds):
        words = f"at the present rate the results come later than completeWithin {deadline.complete_within} asks"
        yield EventWanted("Warning", "DeadlineAtRisk", words)


def _ignored(look: Look, desired: Desired) -> Iterator[EventWanted]:
    if look.recorded.status_of("Succeeded") or desired.ended:
        return
    for field in ignored_on_clusters(look.job.spec):
        yield EventWanted("Warning", "FieldIgnored", f"{field} has no effect on a cluster in this version")
