"""A VideoJob that has its plan and its epoch: workers, server, and the way to the summary. Pure.

"Settled" is what the table says, never what Kubernetes says of its pods: a Job that ended well with open segments is
followed by another one, a few times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from videojob.planning.diagnosis.messages import advice, error_words, sentence
from videojob.planning.diagnosis.pods import NO_PODS, load_failure, requeue_after_s, waiting_for
from videojob.planning.fleet.demand import demand_of, pace_of, times_of
from videojob.planning.fleet.shares import share_of, workers_now
from videojob.planning.lifecycle import stall
from videojob.planning.lifecycle.attempts import life_of, next_attempt, tries_of
from videojob.planning.lifecycle.conditions import Fact, concerns_one_video, fails, fails_with, works
from videojob.planning.lifecycle.progress import frames_left, index_count, progress_of
from videojob.planning.placement.batches import Deal, backstop_s, deal, indexes, segment_s
from videojob.planning.placement.choice import deadline_left_s, worker_count
from videojob.planning.placement.pinned import lost_words
from videojob.planning.state.desired import Desired, ProgressDesired, WorkersDesired
from videojob.planning.state.observed import JobObserved, ResultsObserved
from videojob.planning.state.placement import Place
from videojob.planning.state.snapshot import Snapshot
from videojob.planning.state.stall import Stall
from videojob.video.plan import PlanHead

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
AWAY_S = 30.0
"""A server may be away for so long before the workers are held: a restarted pod comes back sooner."""
MAX_ATTEMPTS = 3
"""Jobs of Kubernetes that may end without having settled everything, before the VideoJob fails."""
_POLL_S = 5.0
_SEGMENTS_PER_POLL_S = 20  # reading the commits of a large job costs read units: read them less often


@dataclass(frozen=True, slots=True)
class Run:
    """One reconcile of a job whose epoch has begun.

    Attributes:
        snapshot: of the job.
        where: its server.
        head: of its plan.
        results: from the table.
    """

    snapshot: Snapshot
    where: Place
    head: PlanHead
    results: ResultsObserved

    def desired(self) -> Desired:
        """What should be done."""
        latest = self._latest
        stale = tuple(one.name for one in self._others if not one.deleting)
        if self._may_be_settled(latest):
            says = works(self.snapshot, "Aggregating", "all segments are done, the summary is being written")
            done = replace(says, started=True, finalise=True, requeue_s=_POLL_S, progress=self._progress(None))
            return replace(done, remove_jobs=stale)
        if self.snapshot.is_over_time:
            return fails(self.snapshot, "DeadlineExceeded", self.snapshot.over_time_words)
        hopeless = self._hopeless(latest)
        if hopeless is not None:
            return hopeless
        says = self._held() if self.snapshot.job.spec.suspend else self._at_work(latest)
        return replace(says, remove_jobs=(*stale, *says.remove_jobs))

    # What is there.

    @property
    def _latest(self) -> JobObserved | None:
        """The newest Job of this epoch that is not on its way out."""
        mine = [one for one in self.snapshot.jobs("work") if one.epoch == self.results.epoch and not one.deleting]
        return mine[-1] if mine else None

    @property
    def _others(self) -> list[JobObserved]:
        """Jobs that must be gone before another one may work: of an older epoch, or being deleted."""
        return [one for one in self.snapshot.jobs("work") if one.epoch != self.results.epoch or one.deleting]

    @property
    def _is_queued(self) -> bool:
        return QUEUE_LABEL in self.snapshot.job.metadata.labels

    def _may_be_settled(self, latest: JobObserved | None) -> bool:
        if self.results.open:
            return False
        has_ended = latest is not None and latest.finished is not None and not self._is_history(latest)
        return has_ended or len(self.results.committed) >= self.head.segments

    def _is_history(self, job: JobObserved) -> bool:
        """Whether a Job is of the time before the VideoJob was resumed, so that how it ended says nothing now."""
        return life_of(job.attempt) < self.snapshot.job.spec.resumes

    # Ways to a bad end.

    def _hopeless(self, latest: JobObserved | None) -> Desired | None:
        if latest is not None and self._is_history(latest):
            latest = None
        if latest is not None and latest.finished == "Failed" and not _is_over_one_video(latest):
            return self._job_failed(latest)
        if latest is not None and latest.finished == "Complete" and tries_of(latest.attempt) >= MAX_ATTEMPTS:
            words = f"{tries_of(latest.attempt)} Jobs ended well, and segments are still missing"
            return fails(self.snapshot, "ResultsIncomplete", words)
        lost = lost_words(self.where, self.snapshot.observed.server)
        if lost:
            return fails(self.snapshot, "ModelNotFound", lost)
        was_ready = bool(self.results.committed) or self.snapshot.last_status.status_of("ServerReady") == "True"
        words = load_failure(self.snapshot.observed.server, was_ready=was_ready)
        return fails(self.snapshot, "ModelLoadFailed", words) if words else None

    def _job_failed(self, job: JobObserved) -> Desired:
        """A Job that gave up: on the whole at once, which has the error's reason, or after too many retries."""
        if job.reason == "PodFailurePolicy" and job.error is not None:
            return fails_with(self.snapshot, job.error)
        if job.reason == "DeadlineExceeded":
            return fails(self.snapshot, "DeadlineExceeded", job.message)
        limit = self.snapshot.job.spec.backoff_limit
        said = f"; {job.problem.message}" if job.problem is not None else ""
        words = f"a segment failed after {limit} retries: {job.message or job.reason}{said}"
        if job.error is not None:
            words = f"a segment failed after {limit} retries, at last with {job.error.get('reason')}: "
            words = sentence(f"{words}{error_words(job.error)}", advice(job.error))
        return fails(self.snapshot, "BackoffLimitExceeded", words)

    # Held.

    def _held(self) -> Desired:
        says = works(self.snapshot, "Suspended", "the job is held by spec.suspend; finished segments are kept")
        return self._hold(replace(says, progress=self._progress(None)))

    def _hold(self, says: Desired) -> Desired:
        running = self._running
        if running is None:
            return says
        if self._is_queued:
            # Kueue would let a held Job go again: what is not there, it cannot.
            return replace(says, remove_jobs=(running.name,))
        return replace(says, work_job=replace(self._work_job(running), suspended=True))

    # At work.

    @property
    def _running(self) -> JobObserved | None:
        latest = self._latest
        return latest if latest is not None and latest.finished is None else None

    def _at_work(self, latest: JobObserved | None) -> Desired:
        """Work goes on, unless a server was paid for too long without a commit."""
        before, now_s = self.snapshot.last_status.stall, self.snapshot.now_s
        progressed = self._segments_done > self.snapshot.last_status.segments_done
        pause_s = 0.0 if progressed else stall.pause_left_s(before, self._bound_s, now_s)
        if pause_s > 0:
            return self._stalled(before, pause_s)
        says = self._going(latest)
        server = self.snapshot.observed.server
        paid = says.demand is not None and server is not None and server.placed > 0
        known = stall.counted(stall.let_go(before), progressed=progressed, paid=paid, now_s=now_s)
        if not stall.is_due(known, self._bound_s):
            waits = [says.requeue_s, *((stall.LOOK_S, stall.left_s(known, self._bound_s)) if paid else ())]
            noted = stall.to_note(before, known, progressed=progressed)
            return replace(says, stall=noted, requeue_s=min((one for one in waits if one is not None), default=None))
        server_words = next(one.message for one in says.conditions if one.type == "ServerReady")
        cause = stall.cause_of(self._running, server, server_words)
        if known.tries + 1 >= stall.TRIES:
            paid_for = f"a server was paid for {known.counted_s // 60} minutes without a commit"
            return fails(self.snapshot, "NoProgress", f"{paid_for}, in {stall.TRIES} tries: {cause}")
        return self._stalled(stall.held(known, cause, now_s), self._bound_s)

    @property
    def _bound_s(self) -> float:
        variant = self.where.variant
        return stall.bound_s(segment_s(self.head, self.snapshot.installation.worker, variant), variant.start_s)

    def _stalled(self, known: Stall, pause_s: float) -> Desired:
        """Workers are held and no server is asked for, until it is tried again or the user has cured it."""
        minutes = round(self._bound_s / 60)
        words = (
            f"try {known.tries} of {stall.TRIES}: a server was paid for {minutes} minutes without a commit: "
            f"{known.cause.rstrip('.')}. The workers are suspended and the server is released for as long; "
            "then it is tried again"
        )
        server = Fact("False", "Stalled", "no server is paid for workers that commit nothing")
        says = works(self.snapshot, "Stalled", words, server=server)
        says = replace(says, started=True, stall=known, requeue_s=pause_s, progress=self._progress(None))
        return self._hold(says)

    def _going(self, latest: JobObserved | None) -> Desired:
        running = self._running
        if running is None and self._others:
            says = works(self.snapshot, "Processing", "pods of an earlier Job end")
            return replace(says, started=True, requeue_s=_POLL_S, progress=self._progress(None))
        if running is not None and running.suspended and running.server not in {None, self.where.key}:
            says = works(self.snapshot, "Processing", "the workers' Job is made anew, for a server that can be had")
            return replace(says, started=True, remove_jobs=(running.name,), requeue_s=_POLL_S)
        wanted = self._work_job(latest)
        if self._is_queued and (running is None or running.suspended):
            says = works(self.snapshot, "Queued", "the job waits for Kueue to admit it", queued=True)
            progress = self._progress(None)
            return replace(says, started=True, work_job=replace(wanted, suspended=None), progress=progress)
        refused = running is not None and _is_refused(running)
        held = not self._is_queued and not refused and self._is_server_away(running)
        says = self._state(running, held=held)
        poll_s = self._poll_s(running, held=held)
        return replace(
            says,
            started=True,
            work_job=replace(wanted, suspended=None if self._is_queued else held),
            # Of workers that may not be made nobody knows when they come: no server is paid until then.
            demand=None if refused else demand_of(self.snapshot, self.where, self._frames_left),
            progress=self._progress(None if held else running),
            requeue_s=poll_s,
            why=self.where.why,
        )

    def _poll_s(self, running: JobObserved | None, *, held: bool) -> float:
        server = self.snapshot.observed.server
        if held:
            return requeue_after_s(None if server is None else server.problem, self.snapshot.now_s)
        if running is not None and not running.ready and running.problem is not None:
            return requeue_after_s(running.problem, self.snapshot.now_s)
        return max(_POLL_S, self.head.segments / _SEGMENTS_PER_POLL_S)

    def _is_server_away(self, running: JobObserved | None) -> bool:
        """Whether workers stand by: nothing that costs money waits for something else."""
        if self._is_server_ready:
            return False
        if running is None or running.suspended:
            return True
        away_since_s = self.snapshot.last_status.since_s("ServerReady", "False")
        return away_since_s is not None and self.snapshot.now_s - away_since_s >= AWAY_S

    @property
    def _is_server_ready(self) -> bool:
        server = self.snapshot.observed.server
        return server is not None and server.ready > 0

    def _work_job(self, latest: JobObserved | None) -> WorkersDesired:
        running = latest is not None and latest.finished is None
        number = None if latest is None else latest.attempt
        attempt = number if running and number is not None else next_attempt(number, self.snapshot.job.spec.resumes)
        dealt = self._deal(latest.batch if latest is not None and running else 0)
        parallelism = self._parallelism(latest if running else None, dealt)
        return WorkersDesired(
            attempt=attempt,
            plan_attempt=self.head.attempt,
            epoch=self.results.epoch,
            server=self.where.key,
            batch=dealt.batch,
            completions=dealt.completions,
            parallelism=parallelism,
            suspended=True,
            why=self.where.why,
            backstop_s=backstop_s(self.head, self.snapshot.installation.worker, self.where.variant, parallelism),
        )

    def _parallelism(self, there: JobObserved | None, dealt: Deal) -> int:
        """Workers side by side, by the job's share of its server.

        Args:
            there: the Job that is there, if one is.
            dealt: how its segments lie in indexes.
        """
        if there is not None and self._is_queued:
            return there.parallelism  # it is what Kueue admitted
        snapshot, variant, worker = self.snapshot, self.where.variant, self.snapshot.installation.worker
        paced = pace_of(snapshot, self.where, self._frames_left).workers
        speed = max(paced, dealt.least_workers * worker.frames_per_second)
        others = snapshot.observed.others
        if others is not None:
            speed = share_of(variant.max_replicas * variant.frames_per_second, speed, others)
        wanted = worker_count(snapshot.job.spec, snapshot.installation, speed, dealt.completions)
        if there is None or there.suspended:
            return wanted
        if others is None:
            return max(wanted, there.parallelism)  # whose share it is nobody knows yet
        rest_s = float(self._frames_left / max(Fraction(1), speed))
        restart_s = worker.start_s + segment_s(self.head, worker, variant)
        return workers_now(there.parallelism, wanted, rest_s=rest_s, restart_s=restart_s)

    def _deal(self, kept: int) -> Deal:
        """How segments lie in indexes: as in the Job that is there (`kept` segments each), or as is best now."""
        if kept:
            return Deal(kept, indexes(self.head.segments, kept))
        snapshot, variant = self.snapshot, self.where.variant
        left_s = deadline_left_s(snapshot.job.spec, variant, **times_of(snapshot))
        return deal(self.head, snapshot.job.spec, snapshot.installation, variant, deadline_left_s=left_s)

    # In words and numbers.

    def _state(self, running: JobObserved | None, *, held: bool) -> Desired:
        snapshot, accelerator = self.snapshot, self.where.key.accelerator
        seen = snapshot.observed.server
        if self._is_server_ready:
            return self._working(running, Fact("True", "Processing", "the inference server answers"))
        problem = None if seen is None else seen.problem
        wait = waiting_for(
            problem, accelerator, snapshot.job.spec, snapshot.installation, snapshot.now_s, what="the inference server"
        )
        server = Fact("False", wait.reason, wait.message)
        if running is not None and _is_refused(running):
            server = Fact("False", "CreationRefused", "no server is paid for workers that may not be made")
        if not held:
            return self._working(running, server)
        capacity = Fact("False", wait.capacity_reason, wait.message) if wait.capacity_reason else self._node
        return works(snapshot, wait.reason, wait.message, capacity=capacity, server=server, advise=not wait.is_refused)

    def _working(self, running: JobObserved | None, server: Fact) -> Desired:
        snapshot = self.snapshot
        problem = None if running is None or running.ready else running.problem
        if problem is not None and problem.kind in NO_PODS:
            wait = waiting_for(
                problem, "cpu", snapshot.job.spec, snapshot.installation, snapshot.now_s, what="a worker"
            )
            capacity = Fact("False", wait.capacity_reason or wait.reason, wait.message)
            return works(
                snapshot, wait.reason, wait.message, capacity=capacity, server=server, advise=not wait.is_refused
            )
        none_yet = running is not None and running.active > 0 and not (running.ready or running.succeeded)
        words = "workers start" if none_yet else "segments are running"
        if problem is not None and problem.kind == "crashed":
            words = f"segments are running; the last worker ended in an error: {problem.message}"
        elif server.status != "True":
            words = "segments are running, and the inference server is away for a moment"
        return works(snapshot, "Processing", words, capacity=self._node, server=server)

    @property
    def _node(self) -> Fact:
        """CapacityReady when a node is there: which one, as far as it tells."""
        server = self.snapshot.observed.server
        parts = [] if server is None else [server.instance_type, server.capacity_type, server.zone]
        known = ", ".join(part for part in parts if part)
        return Fact("True", "Processing", f"the inference server has a node: {known}" if known else "")

    @property
    def _frames_left(self) -> int:
        return frames_left(self.head, self._segments_done)

    @property
    def _segments_done(self) -> int:
        """As the table says, or as Kubernetes does where that is more: commits of large jobs are read now and then."""
        latest = self._latest
        done = 0 if latest is None else index_count(latest.completed_indexes) * latest.batch
        return max(len(self.results.committed), min(done, self.head.segments))

    def _progress(self, running: JobObserved | None) -> ProgressDesired:
        since_s = None if running is None or running.suspended else running.started_s
        snapshot = self.snapshot
        done = self._segments_done
        return progress_of(self.head, done, snapshot.last_status, working_since_s=since_s, now_s=snapshot.now_s)


def _is_over_one_video(job: JobObserved) -> bool:
    """Whether another Job does better than one that failed.

    Workers of this release give up a video that they cannot do, and no Job fails for it. Those of an older one end
    theirs for good; Jobs made from now on have workers of this release.
    """
    if job.reason in {"PodFailurePolicy", "DeadlineExceeded"} or tries_of(job.attempt) >= MAX_ATTEMPTS:
        return False
    return concerns_one_video(job.error)


def _is_refused(running: JobObserved) -> bool:
    return running.problem is not None and running.problem.kind == "refused"
