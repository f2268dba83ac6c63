"""Decisions in a small pure world, with random faults: whatever happens, and however often the controller is restarted,
a few things hold, and a job comes to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.decisions import CPU, INSTALLATION, NOW_S, PodsDecision, a_head, a_job, observed_jobs, problem, stored
from videojob.api.videojob import VideoJob
from videojob.planning.fleet.replicas import size_server
from videojob.planning.lifecycle.attempts import is_resumed
from videojob.planning.state.observed import Observed, ResultsObserved, ServerObserved
from videojob.planning.state.pods import JobObserved, WorkersDesired

SEGMENTS = 6
STEP_S = 7.0
FAULTS = (
    "none",
    "server dies",
    "server crashes",
    "job deleted",
    "job ends early",
    "table away",
    "suspend",
    "resume",
    "no node",
    "slow",
)  # fmt: skip


@dataclass(slots=True)
class World:
    """A cluster and a results table, as far as one job sees them."""

    job: VideoJob
    now_s: float = NOW_S
    jobs: dict[str, JobObserved] = field(default_factory=dict)
    planned: bool = False
    epoch: int = 0
    committed: set[int] = field(default_factory=set)
    summary: str | None = None
    server: ServerObserved | None = None
    table_away: bool = False
    ends: list[str] = field(default_factory=list)

    def look(self) -> PodsDecision:
        """One reconcile: observe, decide, store the status, apply; steps in the table are followed by a new look."""
        opened = False
        for _ in range(4):
            self.job, desired = stored(self.job, self._observed(open_now=opened), INSTALLATION, self.now_s)
            self._check(desired)
            opened = self._in_table(desired)
            if not (desired.begin or desired.finalise):
                break
        self._apply(desired)
        return desired

    def _observed(self, *, open_now: bool) -> Observed:
        jobs = tuple(self.jobs.values())
        if self.job.status is not None and self.job.status.completion_time is not None and not is_resumed(self.job):
            return observed_jobs(jobs=jobs)
        if self.table_away:
            return observed_jobs(jobs=jobs, store_error="away")
        head = a_head(segments=SEGMENTS, frames=600) if self.planned else None
        seen = None
        if self.epoch:
            finished = self.summary if self.summary is not None else None
            seen = ResultsObserved(self.epoch, frozenset(self.committed), finished=finished, open=open_now)
        return observed_jobs(jobs=jobs, head=head, results=seen, server=self.server)

    def _in_table(self, desired: PodsDecision) -> bool:
        if desired.begin:
            self.epoch += 1
        if desired.finalise:
            if len(self.committed) < SEGMENTS:
                return True
            self.summary = "Completed"
        return False

    def _check(self, desired: PodsDecision) -> None:
        status = self.job.status
        assert status is not None
        assert (status.completion_time is not None) == desired.ended
        if desired.ended or self.job.spec.suspend:
            assert desired.demand is None
        if desired.ended:
            assert (desired.plan_job, desired.work_job, desired.begin, desired.finalise) == (None, None, False, False)
            assert {one.name for one in self.jobs.values() if one.finished is None and not one.deleting} == set(
                desired.remove_jobs
            )
            self.ends.append(desired.reason)
            assert len(set(self.ends)) == 1, "an end is final"
            if desired.reason == "Completed":
                assert len(self.committed) == SEGMENTS
        if desired.work_job is not None:
            assert self.epoch == desired.work_job.epoch
            if desired.work_job.suspended is False:
                assert not self.job.spec.suspend
                others = [
                    one
                    for one in self.jobs.values()
                    if one.kind == "work" and one.attempt != desired.work_job.attempt and one.finished is None
                ]
                assert all(one.suspended for one in others), "two Jobs at work"

    def _apply(self, desired: PodsDecision) -> None:
        for name in desired.remove_jobs:
            self.jobs.pop(name, None)
        if desired.plan_job is not None and f"plan-{desired.plan_job.attempt}" not in self.jobs:
            attempt = desired.plan_job.attempt
            self.jobs[f"plan-{attempt}"] = JobObserved(f"plan-{attempt}", "plan", attempt, desired.plan_job.suspended)
        elif desired.plan_job is not None:
            name = f"plan-{desired.plan_job.attempt}"
            self.jobs[name] = replace(self.jobs[name], suspended=desired.plan_job.suspended)
        if desired.work_job is not None:
            self._work_job(desired.work_job)
        demands = [] if desired.demand is None else [desired.demand]
        if demands or self.server is not None:
            wanted = size_server(CPU, demands, self.server, idle_s=20, now_s=self.now_s)
            seen = self.server or ServerObserved(0, 0)
            ready = min(seen.ready, wanted.replicas)
            self.server = replace(seen, replicas=wanted.replicas, ready=ready, idle_since_s=wanted.idle_since_s)

    def _work_job(self, wanted: WorkersDesired) -> None:
        name = f"work-{wanted.attempt}"
        known = self.jobs.get(name)
        suspended = wanted.suspended is True
        if known is None:
            values: dict[str, Any] = {"epoch": wanted.epoch, "batch": wanted.batch, "completions": wanted.completions}
            known = JobObserved(name, "work", wanted.attempt, suspended, **values)
        started_s = None if suspended else (known.started_s or self.now_s)
        self.jobs[name] = replace(
            known, suspended=suspended, parallelism=wanted.parallelism, started_s=started_s, ready=0 if suspended else 1
        )

    def pass_time(self, fault: str) -> None:
        """What the cluster does by itself until the next reconcile, and what goes wrong meanwhile."""
        self.now_s += STEP_S
        self.table_away = fault == "table away"
        if fault in {"suspend", "resume"} and self.job.status is not None:
            spec = self.job.spec.model_copy(update={"suspend": fault == "suspend"})
            self.job = self.job.model_copy(update={"spec": spec})
        self._server(fault)
        for name, one in list(self.jobs.items()):
            if one.finished is not None or one.suspended:
                continue
            if fault == "job deleted":
                del self.jobs[name]
            elif one.kind == "plan":
                self.planned = True
                self.jobs[name] = replace(one, finished="Complete")
            elif fault == "job ends early":
                self.jobs[name] = replace(one, finished="Complete", ready=0)
            elif fault != "slow" and self.server is not None and self.server.ready:
                self._commit(name, one)

    def _commit(self, name: str, job: JobObserved) -> None:
        left = sorted(set(range(SEGMENTS)) - self.committed)
        self.committed |= set(left[:2])
        if len(left) <= 2:
            self.jobs[name] = replace(job, finished="Complete", ready=0)

    def _server(self, fault: str) -> None:
        if self.server is None or not self.server.replicas:
            return
        if fault == "server dies":
            self.server = replace(self.server, ready=0, problem=problem("starting"))
        elif fault == "server crashes":
            self.server = replace(self.server, ready=0, problem=problem("crashed", restarts=1))
        elif fault == "no node" and not self.server.ready:
            self.server = replace(self.server, problem=problem("unschedulable", source="karpenter"))
        else:
            self.server = replace(self.server, ready=self.server.replicas, problem=None)


@pytest.mark.parametrize("spec", [{}, {"compute": {"accelerator": "cpu"}, "deadline": {"completeWithin": "10m"}}])
@given(st.lists(st.sampled_from(FAULTS), max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_job_comes_to_its_end_and_everything_to_zero(spec: dict[str, Any], faults: list[str]) -> None:
    world = World(a_job(spec))
    for fault in faults:
        world.look()
        world.pass_time(fault)
    world.pass_time("resume")
    for _ in range(40):
        world.look()
        world.pass_time("none")
    assert world.ends
    assert world.ends[-1] in {"Completed", "ResultsIncomplete"}
    # Only Jobs that ended well with segments missing, again and again, can be the end of such a job.
    if faults.count("job ends early") < 3:
        assert world.ends[-1] == "Completed"
    last = world.look()
    assert (last.requeue_s, last.events, last.remove_jobs) == (None, (), ())
    assert world.server is None or world.server.replicas == 0
    assert not any(one.finished is None for one in world.jobs.values())


def test_a_calm_course_takes_a_handful_of_looks() -> None:
    world = World(a_job())
    reasons = []
    for _ in range(12):
        reasons.append(world.look().reason)
        world.pass_time("none")
    told = list(dict.fromkeys(reasons))
    assert told == ["Probing", "ProvisioningCPU", "Processing", "Completed"]


@given(st.lists(st.sampled_from(FAULTS), max_size=12), st.lists(st.sampled_from(FAULTS), max_size=12))
@settings(max_examples=50, deadline=None)
def test_a_job_that_gave_up_comes_to_a_good_end_when_it_is_resumed(before: list[str], after: list[str]) -> None:
    world = World(a_job())
    for fault in [one for one in before if one not in {"suspend", "job ends early"}]:
        world.look()
        world.pass_time(fault)
    for _ in range(40):
        world.look()
        if world.ends:
            break
        world.pass_time("slow")
        for name, one in world.jobs.items():
            if one.kind == "work" and one.finished is None:
                world.jobs[name] = replace(one, finished="Failed", reason="MaxFailedIndexesExceeded", ready=0)
    if world.ends[-1] == "Completed":
        return
    kept = set(world.committed)
    world.ends.clear()
    spec = world.job.spec.model_copy(update={"resumes": 1, "suspend": False})
    world.job = world.job.model_copy(update={"spec": spec})
    for fault in [one for one in after if one not in {"suspend", "job ends early"}] + ["none"] * 40:
        world.look()
        world.pass_time(fault)
    assert (world.ends[-1], world.epoch) == ("Completed", 1)
    assert kept <= world.committed
    assert [name for name in world.jobs if name.startswith("plan-")] == ["plan-1"], "its plan is kept"
