"""The workers' Job of a VideoJob that has its plan and its epoch: held or at work, with how many pods. Pure.

`planning.lifecycle.pods` makes it while segments are open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from videojob.planning.diagnosis.messages import advice, error_words
from videojob.planning.diagnosis.pods import NO_PODS, cause_of, load_failure, requeue_after_s, waiting_for
from videojob.planning.fleet.demand import demand_of, pace_of, times_of
from videojob.planning.fleet.shares import share_of, workers_now
from videojob.planning.lifecycle import stall
from videojob.planning.lifecycle.attempts import MAX_ATTEMPTS, life_of, next_attempt, tries_of
from videojob.planning.lifecycle.backend import Run
from videojob.planning.lifecycle.conditions import Fact, concerns_one_video, fails, fails_with, works
from videojob.planning.placement.batches import Deal, backstop_s, deal, indexes, segment_s
from videojob.planning.placement.choice import deadline_left_s, worker_count
from videojob.planning.placement.pinned import lost_words
from videojob.planning.state.desired import Desired
from videojob.planning.state.pods import JobObserved, PodsDesired, WorkersDesired
from videojob.planning.state.stall import Stall
from videojob.reasons.row import RESUME

AWAY_S = 30.0
"""A server may be away for so long before the workers are held: a restarted pod comes back sooner."""
_ANSWERS = Fact("True", "Processing", "the inference server is ready")
_POLL_S = 5.0
_SEGMENTS_PER_POLL_S = 20  # reading the commits of a large job costs read units: read them less often


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of one reconcile, while segments are open.

    Attributes:
        run: of the job.
        latest: the newest Job of this epoch that is not on its way out. running: the same while it is not over.
        has_others: Jobs that must be gone before another one may work: of an older epoch, or being deleted.
        is_queued: Kueue admits the Job.
    """

    run: Run
    latest: JobObserved | None
    running: JobObserved | None
    has_others: bool
    is_queued: bool

    def failure(self) -> Desired | None:
        """The bad end that the job has come to, if it has."""
        snapshot, latest, server = self.run.snapshot, self.latest, self.run.snapshot.observed.server
        # How a Job of before a resume ended says nothing now.
        if latest is not None and latest.finished is not None and life_of(latest.attempt) >= snapshot.job.spec.resumes:
            if latest.finished == "Failed" and not _is_over_one_video(latest):
                return self._job_failed(latest)
            if latest.finished == "Complete" and tries_of(latest.attempt) >= MAX_ATTEMPTS:
                words = f"{tries_of(latest.attempt)} Jobs succeeded, but segments are still missing"
                return fails("ResultsIncomplete", words)
        if server is not None and server.ready:
            return None
        lost = lost_words(self.run.where, server)
        if lost:
            return fails("ModelNotFound", lost)
        was_ready = bool(self.run.results.committed) or snapshot.last_status.status_of("ServerReady") == "True"
        words = load_failure(server, was_ready=was_ready)
        return fails("ModelLoadFailed", words) if words else None

    def _job_failed(self, job: JobObserved) -> Desired:
        """A Job that gave up: on the whole at once, which has the error's reason, or after too many retries."""
        snapshot = self.run.snapshot
        if job.reason == "PodFailurePolicy" and job.error is not None:
            return fails_with(job.error)
        if job.reason == "DeadlineExceeded":
            return fails("DeadlineExceeded", job.message)
        limit = snapshot.job.spec.backoff_limit
        said = f"; {job.problem.message}" if job.problem is not None else ""
        words = f"a segment failed after {limit} retries: {job.message or job.reason}{said}"
        if job.error is not None:
            words = f"a segment failed after {limit} retries, the last with {job.error.get('reason')}: "
            remedy = advice(job.error)
            hint = remedy if "resume" in remedy or "new VideoJob" in remedy else f"{remedy} {RESUME}"
            error = {"message": f"{words}{error_words(job.error)}", "hint": hint}
            return fails_with(error, "BackoffLimitExceeded")
        return fails("BackoffLimitExceeded", words)

    def held(self) -> Desired:
        """The job is suspended."""
        words = "the job is suspended by spec.suspend; finished segments are kept"
        return self._hold(replace(works(self.run.snapshot, "Suspended", words), progress=self.run.progress()))

    def _hold(self, says: Desired) -> Desired:
        running = self.running
        if running is None:
            return says
        if self.is_queued:
            # Kueue would let a held Job go again: what is not there, it cannot.
            return replace(says, backend=PodsDesired(remove=(running.name,)))
        return replace(says, backend=PodsDesired(workers=self._desired(suspended=True)))

    def at_work(self) -> Desired:
        """Work goes on, unless a server was paid for too long without a commit."""
        run, snapshot = self.run, self.run.snapshot
        before, now_s, server = snapshot.last_status.stall, snapshot.now_s, snapshot.observed.server
        variant = run.where.variant
        bound_s = stall.bound_s(segment_s(run.head, snapshot.installation.worker, variant), variant.start_s)
        progressed = run.segments_done > snapshot.last_status.segments_done
        pause_s = 0.0 if progressed else stall.pause_left_s(before, bound_s, now_s)
        if pause_s > 0:
            return self._stalled(before, bound_s, pause_s)
        says = self._going()
        paid = says.demand is not None and server is not None and server.placed > 0
        reckoned = stall.reckon(before, bound_s, progressed=progressed, paid=paid, now_s=now_s)
        known = reckoned.now
        if not reckoned.is_due:
            waits = [says.requeue_s, *((stall.NOTE_EVERY_S, reckoned.left_s) if paid else ())]
            requeue_s = min((one for one in waits if one is not None), default=None)
            return replace(says, stall=reckoned.noted, requeue_s=requeue_s)
        server_words = next(one.message for one in says.conditions if one.type == "ServerReady")
        cause = cause_of(self.running, server, server_words)
        if known.tries + 1 >= stall.TRIES:
            paid_for = f"a server was paid for {known.counted_s // 60} minutes without a commit"
            return fails("NoProgress", f"{paid_for}, in {stall.TRIES} tries: {cause}")
        return self._stalled(stall.held(known, cause, now_s), bound_s, bound_s)

    def _stalled(self, known: Stall, bound_s: float, pause_s: float) -> Desired:
        """Workers are held and no server is asked for, until it is tried again or the user has solved it."""
        minutes = round(bound_s / 60)
        words = (
            f"try {known.tries} of {stall.TRIES}: a server was paid for {minutes} minutes without a commit: "
            f"{known.cause.rstrip('.')}. The workers are suspended and the server is released for as long; "
            "then it is tried again"
        )
        server = Fact("False", "Stalled", "the server is released, because the workers commit nothing")
        says = works(self.run.snapshot, "Stalled", words, server=server)
        says = replace(says, started=True, stall=known, requeue_s=pause_s, progress=self.run.progress())
        return self._hold(says)

    def _going(self) -> Desired:
        run, snapshot, running = self.run, self.run.snapshot, self.running
        if running is None and self.has_others:
            says = works(snapshot, "Processing", "waiting until the pods of an earlier Job end")
            return replace(says, started=True, requeue_s=_POLL_S, progress=run.progress())
        if running is not None and running.suspended and running.server not in {None, run.where.key}:
            says = works(snapshot, "Processing", "the workers' Job is recreated for a server that can be provisioned")
            return replace(says, started=True, backend=PodsDesired(remove=(running.name,)), requeue_s=_POLL_S)
        if self.is_queued and (running is None or running.suspended):
            says = works(snapshot, "Queued", "waiting for Kueue to admit the job", queued=True)
            pods = PodsDesired(workers=self._desired(suspended=None))
            return replace(says, started=True, backend=pods, progress=run.progress())
        refused = running is not None and running.problem is not None and running.problem.kind == "refused"
        server = snapshot.observed.server
        is_ready = server is not None and server.ready > 0
        held = not is_ready and not self.is_queued and not refused and self._is_server_away()
        says = self._working(_ANSWERS) if is_ready else self._without_server(held=held, refused=refused)
        since_s = None if running is None or running.suspended or held else running.started_s
        return replace(
            says,
            started=True,
            backend=PodsDesired(workers=self._desired(suspended=None if self.is_queued else held)),
            # Of workers that may not be made nobody knows when they come: no server is paid until then.
            demand=None if refused else demand_of(snapshot, run.where, run.frames_left),
            progress=run.progress(since_s),
            requeue_s=self._poll_s(held=held),
            why=run.where.why,
        )

    def _poll_s(self, *, held: bool) -> float:
        server, running, now_s = self.run.snapshot.observed.server, self.running, self.run.snapshot.now_s
        if held:
            return requeue_after_s(None if server is None else server.problem, now_s)
        if running is not None and not running.ready and running.problem is not None:
            return requeue_after_s(running.problem, now_s)
        return max(_POLL_S, self.run.head.segments / _SEGMENTS_PER_POLL_S)

    def _is_server_away(self) -> bool:
        """Whether workers stand by for one that is not ready: nothing that costs money waits for something else."""
        running, snapshot = self.running, self.run.snapshot
        if running is None or running.suspended:
            return True
        away_since_s = snapshot.last_status.since_s("ServerReady", "False")
        return away_since_s is not None and snapshot.now_s - away_since_s >= AWAY_S

    def _desired(self, *, suspended: bool | None) -> WorkersDesired:
        """The Job as it should be: the one that runs is adjusted, without one another one is made."""
        run, running = self.run, self.running
        if running is not None and running.batch:
            attempt, dealt = running.attempt, Deal(running.batch, indexes(run.head.segments, running.batch))
        else:
            last = self.latest.attempt if self.latest is not None else None
            attempt = running.attempt if running is not None else next_attempt(last, run.snapshot.job.spec.resumes)
            dealt = self._deal()
        parallelism, worker = self._parallelism(dealt), run.snapshot.installation.worker
        return WorkersDesired(
            attempt=attempt,
            plan_attempt=run.head.attempt,
            epoch=run.results.epoch,
            server=run.where.key,
            batch=dealt.batch,
            completions=dealt.completions,
            parallelism=parallelism,
            suspended=suspended,
            why=run.where.why,
            replica_frames_per_s=run.where.replica_frames_per_s,
            backstop_s=backstop_s(run.head, worker, run.where.variant, parallelism),
        )

    def _parallelism(self, dealt: Deal) -> int:
        """Concurrent workers, by the job's share of its server; `dealt` is how its segments lie in indexes."""
        run, running = self.run, self.running
        if running is not None and self.is_queued:
            return running.parallelism  # it is what Kueue admitted
        snapshot, variant, worker = run.snapshot, run.where.variant, run.snapshot.installation.worker
        paced = pace_of(snapshot, run.where, run.frames_left).workers
        speed = max(paced, dealt.least_workers * worker.frames_per_second)
        others = snapshot.observed.others
        if others is not None:
            speed = share_of(variant.max_replicas * variant.frames_per_second, speed, others)
        count = worker_count(snapshot.job.spec, snapshot.installation, speed, dealt.completions)
        if running is None or running.suspended:
            return count
        if others is None or count >= running.parallelism:
            return max(count, running.parallelism)  # without the others nobody knows yet whose share it is
        rest_s = float(run.frames_left / max(Fraction(1), speed))
        restart_s = worker.start_s + segment_s(run.head, worker, variant)
        return workers_now(running.parallelism, count, rest_s=rest_s, restart_s=restart_s)

    def _deal(self) -> Deal:
        """How segments lie best in indexes."""
        run, snapshot, variant = self.run, self.run.snapshot, self.run.where.variant
        left_s = deadline_left_s(snapshot.job.spec, variant, **times_of(snapshot))
        return deal(run.head, snapshot.job.spec, snapshot.installation, variant, deadline_left_s=left_s)

    def _without_server(self, *, held: bool, refused: bool) -> Desired:
        snapshot, observed = self.run.snapshot, self.run.snapshot.observed.server
        problem, accelerator = None if observed is None else observed.problem, self.run.where.key.accelerator
        wait = waiting_for(
            problem, accelerator, snapshot.job.spec, snapshot.installation, snapshot.now_s, what="the inference server"
        )
        server = Fact("False", wait.reason, wait.message)
        if refused:
            server = Fact("False", "CreationRefused", "the server is released, because the workers' pods are rejected")
        if not held:
            return self._working(server)
        capacity = Fact("False", wait.capacity_reason, wait.message) if wait.capacity_reason else self._node()
        return works(snapshot, wait.reason, wait.message, capacity=capacity, server=server, advise=not wait.is_refused)

    def _working(self, server: Fact) -> Desired:
        snapshot, running = self.run.snapshot, self.running
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
        words = "workers are starting" if none_yet else "segments are running"
        if problem is not None and problem.kind == "crashed":
            words = f"segments are running; the last worker ended in an error: {problem.message}"
        elif server.status != "True":
            words = "segments are running; the inference server does not answer at the moment"
        return works(snapshot, "Processing", words, capacity=self._node(), server=server)

    def _node(self) -> Fact:
        """CapacityReady when a node is there: which one, as far as it tells."""
        server = self.run.snapshot.observed.server
        parts = [] if server is None else [server.instance_type, server.capacity_type, server.zone]
        known = ", ".join(part for part in parts if part)
        return Fact("True", "Processing", f"the node of the inference server is ready: {known}" if known else "")


def _is_over_one_video(job: JobObserved) -> bool:
    """Whether another Job does better than one that failed.

    Workers of this release give up a video that they cannot do, and no Job fails for it. Those of an older one end
    theirs for good; Jobs made from now on have workers of this release.
    """
    if job.reason in {"PodFailurePolicy", "DeadlineExceeded"} or tries_of(job.attempt) >= MAX_ATTEMPTS:
        return False
    return concerns_one_video(job.error)
