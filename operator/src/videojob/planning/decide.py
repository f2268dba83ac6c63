"""The controller's one decision: from what was seen of a VideoJob to what should be done about it. Pure and total.

Level-triggered: it asks what is there, never what happened, so that it does not matter which event was lost or how
often the controller was killed in between. The order of the questions is the order of a job's life.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from videojob.api.reasons import REASONS
from videojob.api.videojob import VideoJob
from videojob.errors import VideoJobError
from videojob.planning.catalogue import Catalogue
from videojob.planning.desired import (
    ConditionWanted,
    Desired,
    PlanJobWanted,
    ProgressWanted,
    ServerDemand,
    WorkJobWanted,
)
from videojob.planning.jobplan import PlanHead
from videojob.planning.observed import JobSeen, Observed, PodTrouble, ResultsSeen
from videojob.planning.placement import Place, batch_size, place, wanted_frames_per_second, worker_count
from videojob.planning.refusals import check_supported

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
AWAY_S = 30.0
"""A server may be away for so long before the workers are held: a restarted pod comes back sooner."""
CRASHES = 3
"""A server that ended in an error so often will do so again."""
MAX_ATTEMPTS = 3
"""Jobs of Kubernetes that may end without having settled everything, before the VideoJob fails."""
_POLL_S = 5.0
_SEGMENTS_PER_POLL_S = 20  # reading the commits of a large job costs read units: look at it less often


def decide(job: VideoJob, observed: Observed, catalogue: Catalogue, now_s: float) -> Desired:
    """What should be done now.

    Args:
        job: as it is stored, with its status.
        observed: everything else.
        catalogue: of this installation.
        now_s: seconds since the epoch.
    """
    return _Decision(job, observed, catalogue, now_s).desired()


@dataclass(frozen=True, slots=True)
class _Decision:
    job: VideoJob
    observed: Observed
    catalogue: Catalogue
    now_s: float

    def desired(self) -> Desired:
        if self.job.metadata.deletion_timestamp is not None:
            return self._says("Queued", "the job is being deleted")
        ended = self._ended()
        if ended is not None:
            return ended
        if self.observed.store_error:
            return self._waits_for_store()
        try:
            check_supported(self.job.spec, self.catalogue)
            head = self.observed.head
            where = place(self.job.spec, self.catalogue, 0 if head is None else head.frames)
        except VideoJobError as error:
            return self._fails(error.reason, _words(error.as_dict()))
        return self._work(where)

    # The end of a job.

    def _ended(self) -> Desired | None:
        """A job that is over: silence, until its time to live is over too."""
        status = self.job.status
        if status is None or status.completion_time is None:
            return None
        condition = next((one for one in status.conditions if one.type == "Succeeded"), None)
        reason = "InternalError" if condition is None else condition.reason
        recorded = tuple(ConditionWanted(one.type, one.status, one.reason, one.message) for one in status.conditions)
        ttl_s = self.job.spec.ttl_seconds_after_finished
        left_s = None if ttl_s is None else seconds_of(status.completion_time) + ttl_s - self.now_s
        return Desired(
            reason=reason,
            message=status.message,
            conditions=recorded,
            started=True,
            ended=True,
            remove_jobs=self._unfinished_jobs(),
            delete_self=left_s is not None and left_s <= 0,
            recheck_s=None if left_s is None else max(0.0, left_s),
        )

    def _fails(self, reason: str, message: str) -> Desired:
        word = reason if reason in REASONS else "InternalError"
        failed = self._says(word, message, status="False")
        return replace(failed, started=True, ended=True, remove_jobs=self._unfinished_jobs())

    def _succeeds(self, results: ResultsSeen) -> Desired:
        if results.finished == "Failed":
            return self._fails("InputInvalid", results.message)
        reason = results.finished or "Completed"
        done = self._says(reason, results.message or REASONS[reason].meaning, status="True")
        return replace(done, started=True, ended=True, remove_jobs=self._unfinished_jobs())

    def _unfinished_jobs(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.observed.jobs if one.finished is None and not one.deleting)

    # The way there.

    def _work(self, where: Place) -> Desired:
        results, head = self.observed.results, self.observed.head
        if results is not None and results.finished is not None:
            return self._succeeds(results)
        if self._is_over_time():
            limit = self.job.spec.active_deadline_seconds
            return self._fails("DeadlineExceeded", f"the job ran longer than activeDeadlineSeconds: {limit}")
        if head is None:
            return self._plan()
        if head.error is not None:
            return self._fails(str(head.error.get("reason")), _words(head.error))
        if results is None or results.epoch == 0:
            return replace(self._says("Probing", "the plan is made"), started=True, begin=not self.job.spec.suspend)
        return self._run(where, head, results)

    def _plan(self) -> Desired:
        jobs = self._jobs("plan")
        latest = jobs[-1] if jobs else None
        if self.job.spec.suspend:
            held = None if latest is None or latest.finished else PlanJobWanted(latest.attempt, suspended=True)
            return replace(self._suspended(), plan_job=held)
        if latest is None:
            return replace(self._probing(None), plan_job=PlanJobWanted(1))
        if latest.finished == "Failed":
            return self._fails(*_why(latest))
        if latest.finished == "Complete":
            # Its plan should be there. A planner is run again, in case the table was emptied.
            if latest.attempt >= MAX_ATTEMPTS:
                return self._fails("ResultsIncomplete", "planners end well, and their plan is not in the table")
            return replace(self._probing(None), plan_job=PlanJobWanted(latest.attempt + 1))
        return replace(self._probing(latest.trouble), plan_job=PlanJobWanted(latest.attempt))

    def _probing(self, trouble: PodTrouble | None) -> Desired:
        if trouble is not None and trouble.kind != "starting":
            reason, message = _pod_words(trouble, "ProvisioningCPU")
            says = self._says(reason, f"the planner cannot start: {message}", capacity=("False", reason, message))
        else:
            says = self._says("Probing", "the videos are looked at")
        return replace(says, started=True, recheck_s=_POLL_S * 6)

    def _run(self, where: Place, head: PlanHead, results: ResultsSeen) -> Desired:
        current = [one for one in self._jobs("work") if one.epoch == results.epoch]
        stale = tuple(one.name for one in self._jobs("work") if one.epoch != results.epoch and not one.deleting)
        latest = current[-1] if current else None
        all_there = len(results.committed) >= head.segments
        if not results.open and (all_there or (latest is not None and latest.finished is not None)):
            aggregating = self._says("Aggregating", "all segments are done, the summary is being written")
            return replace(aggregating, started=True, finalise=True, remove_jobs=stale, progress=self._progress(head))
        if latest is not None and latest.finished == "Failed":
            return self._fails(*_why(latest))
        if latest is not None and latest.finished == "Complete" and latest.attempt >= MAX_ATTEMPTS:
            words = f"{latest.attempt} Jobs ended well, and segments are still missing"
            return self._fails("ResultsIncomplete", words)
        broken = self._broken_server()
        if broken is not None:
            return broken
        return replace(self._segments(where, head, latest), remove_jobs=stale)

    def _segments(self, where: Place, head: PlanHead, latest: JobSeen | None) -> Desired:
        spec = self.job.spec
        running = latest if latest is not None and latest.finished is None else None
        wanted = self._work_job(where, head, latest)
        if spec.suspend:
            held = None if running is None else replace(wanted, suspended=True)
            return replace(self._suspended(), work_job=held, progress=self._progress(head))
        queued = QUEUE_LABEL in self.job.metadata.labels
        progress = self._progress(head)
        if queued and (running is None or running.suspended):
            says = self._says("Queued", "the job waits for Kueue to admit it")
            return replace(says, started=True, work_job=replace(wanted, suspended=None), progress=progress)
        demand = self._demand(where, head)
        wanted = replace(wanted, suspended=None if queued else self._held(running))
        says = self._state(where, running, held=bool(wanted.suspended))
        poll_s = max(_POLL_S, head.segments / _SEGMENTS_PER_POLL_S)
        return replace(says, started=True, work_job=wanted, demand=demand, progress=progress, recheck_s=poll_s)

    def _work_job(self, where: Place, head: PlanHead, latest: JobSeen | None) -> WorkJobWanted:
        running = latest is not None and latest.finished is None
        attempt = 1 if latest is None else latest.attempt + (0 if running else 1)
        batch = batch_size(head.segments, self.catalogue.worker.max_workers)
        if latest is not None and running and latest.batch:
            batch = latest.batch
        completions = math.ceil(head.segments / batch)
        speed = self._speed(where, head)
        results = self.observed.results
        return WorkJobWanted(
            attempt=attempt,
            plan_attempt=head.attempt,
            epoch=0 if results is None else results.epoch,
            server=where.key,
            batch=batch,
            completions=completions,
            parallelism=worker_count(self.job.spec, self.catalogue, speed, completions),
            suspended=True,
        )

    def _held(self, running: JobSeen | None) -> bool:
        """Whether workers stand by: nothing that costs money waits for something else."""
        server = self.observed.server
        if server is not None and server.ready > 0:
            return False
        if running is None or running.suspended:
            return True
        trouble = None if server is None else server.trouble
        return trouble is None or self.now_s - trouble.since_s >= AWAY_S

    def _broken_server(self) -> Desired | None:
        server = self.observed.server
        trouble = None if server is None else server.trouble
        if server is None or trouble is None or server.ready > 0:
            return None
        if trouble.kind == "crashed" and trouble.restarts >= CRASHES:
            return self._fails("ModelLoadFailed", f"the inference server does not come up: {trouble.message}")
        return None

    def _state(self, where: Place, running: JobSeen | None, *, held: bool) -> Desired:
        server = self.observed.server
        missing = "ProvisioningGPU" if where.key.accelerator == "gpu" else "ProvisioningCPU"
        if held:
            if server is None or server.replicas == 0:
                return self._says(missing, "a server is asked for", server=("False", missing, ""))
            trouble = server.trouble
            if trouble is None or trouble.kind == "starting":
                words = "the inference server starts and loads the model"
                return self._says("LoadingModel", words, server=("False", "LoadingModel", words))
            reason, message = _pod_words(trouble, missing)
            capacity = None if reason == "LoadingModel" else ("False", reason, message)
            return self._says(reason, message, capacity=capacity, server=("False", reason, message))
        ready = ("True", "Processing", "the inference server answers")
        trouble = None if running is None else running.trouble
        if (
            running is not None
            and running.ready == 0
            and trouble is not None
            and trouble.kind in {"unschedulable", "image"}
        ):
            reason, message = _pod_words(trouble, "ProvisioningCPU")
            return self._says(reason, message, capacity=("False", reason, message), server=ready)
        return self._says("Processing", where.why, capacity=("True", "Processing", ""), server=ready)

    def _demand(self, where: Place, head: PlanHead) -> ServerDemand:
        limits, gpus = self.job.spec.compute.limits, where.variant.gpus
        bound = None if limits is None or limits.gpus is None or gpus == 0 else max(1, limits.gpus // gpus)
        return ServerDemand(where.key, self._speed(where, head), self._frames_left(head), bound)

    def _speed(self, where: Place, head: PlanHead) -> Fraction:
        started_s = self._started_s()
        return wanted_frames_per_second(self.job.spec, where.variant, self._frames_left(head), started_s, self.now_s)

    def _frames_left(self, head: PlanHead) -> int:
        results = self.observed.results
        done = 0 if results is None else len(results.committed)
        return math.ceil(head.frames * (head.segments - done) / max(1, head.segments))

    # Time.

    def _started_s(self) -> float:
        """When the job was first acted on; now when that is just happening."""
        status = self.job.status
        return self.now_s if status is None or status.start_time is None else seconds_of(status.start_time)

    def _is_over_time(self) -> bool:
        """As a Job of Kubernetes counts: from the start, or from when it was last let go on."""
        limit_s, status = self.job.spec.active_deadline_seconds, self.job.status
        if limit_s is None or status is None or status.start_time is None or self.job.spec.suspend:
            return False
        since_s = seconds_of(status.start_time)
        held = next((one for one in status.conditions if one.type == "Suspended"), None)
        if held is not None:
            if held.status == "True":
                return False
            since_s = max(since_s, seconds_of(held.last_transition_time))
        return self.now_s - since_s >= limit_s

    # Words.

    def _suspended(self) -> Desired:
        words = "the job is held by spec.suspend; finished segments are kept"
        return replace(self._says("Suspended", words), started=self.job.status is not None)

    def _waits_for_store(self) -> Desired:
        words = f"the results table does not answer, work goes on when it does: {self.observed.store_error}"
        status = self.job.status
        condition = (
            None if status is None else next((one for one in status.conditions if one.type == "Succeeded"), None)
        )
        reason = "Queued" if condition is None else condition.reason
        return replace(self._says(reason, words), recheck_s=_POLL_S)

    def _says(
        self,
        reason: str,
        message: str,
        *,
        status: str = "Unknown",
        capacity: tuple[str, str, str] | None = None,
        server: tuple[str, str, str] | None = None,
    ) -> Desired:
        held = self.job.spec.suspend and status == "Unknown"
        info = REASONS[reason]
        text = message if status == "Unknown" and not info.next_step else _sentence(message, info.next_step)
        conditions = [
            _condition("Succeeded", (status, reason, text)),
            _condition("CapacityReady", capacity or ("Unknown", reason, "")),
            _condition("ServerReady", server or ("False" if status != "Unknown" or held else "Unknown", reason, "")),
            _condition("Suspended", ("True" if held else "False", "Suspended" if held else reason, "")),
        ]
        return Desired(reason=reason, message=text, conditions=tuple(conditions))

    def _progress(self, head: PlanHead) -> ProgressWanted:
        results = self.observed.results
        done = 0 if results is None else len(results.committed)
        frames = head.frames * done // max(1, head.segments)
        started_s = next((one.started_s for one in reversed(self._jobs("work")) if one.started_s is not None), None)
        elapsed_s = None if started_s is None else max(1.0, self.now_s - started_s)
        rate = (
            None if elapsed_s is None or not frames else Fraction(frames) / Fraction(elapsed_s).limit_denominator(1000)
        )
        left_s = None if not rate else math.ceil((head.frames - frames) / rate)
        return ProgressWanted(frames, head.frames, done, head.segments, left_s, rate)

    def _jobs(self, kind: str) -> list[JobSeen]:
        found = [one for one in self.observed.jobs if one.kind == kind and not one.deleting]
        return sorted(found, key=lambda one: one.attempt)


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of a time as Kubernetes writes it."""
    return datetime.fromisoformat(timestamp).timestamp()


def _condition(kind: str, said: tuple[str, str, str]) -> ConditionWanted:
    status, reason, message = said
    return ConditionWanted(kind, status, reason, message)  # type: ignore[arg-type]  # words of this module


def _sentence(message: str, next_step: str) -> str:
    text = message.rstrip(".")
    return f"{text}. {next_step}" if text and next_step not in text else (text or next_step)


def _words(error: Mapping[str, Any]) -> str:
    """An error's message with its place and hint, for a condition."""
    place_words = f" ({error['uri']})" if error.get("uri") else ""
    hint = f". {error['hint']}" if error.get("hint") else ""
    return f"{error.get('message', '')}{place_words}{hint}"


def _why(job: JobSeen) -> tuple[str, str]:
    """(reason, message) of a Job that failed: its last pod's words, else Kubernetes'."""
    if job.error is not None:
        return str(job.error.get("reason")), _words(job.error)
    if job.reason == "DeadlineExceeded":
        return "DeadlineExceeded", job.message
    trouble = "" if job.trouble is None else f"; {job.trouble.message}"
    return "BackoffLimitExceeded", f"{job.message or job.reason}{trouble}"


def _pod_words(trouble: PodTrouble, missing: str) -> tuple[str, str]:
    """(reason, message) of pods that do not run."""
    said = f"{trouble.source}: {trouble.message}" if trouble.source else trouble.message
    reasons = {"unschedulable": missing, "image": "ImagePullFailed"}
    return reasons.get(trouble.kind, "LoadingModel"), said
