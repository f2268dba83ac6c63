"""Whatever is seen, also what should never be, there is a decision, its status is valid, and it contradicts nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.decisions import (
    ERROR,
    INSTALLATION,
    NOW_S,
    a_head,
    a_job,
    a_status,
    ended_status,
    stored,
)
from videojob.kube.render.jobs import config_map, plan_job, work_job
from videojob.planning.state.observed import (
    NODE_PROVISIONING,
    FailureObserved,
    Observed,
    PodProblem,
    ResultsObserved,
    ServerObserved,
)
from videojob.planning.state.pods import JobObserved, PodsObserved
from videojob.reasons import REASONS, Phase

times = st.floats(NOW_S - 2000, NOW_S + 60)
problems = st.none() | st.builds(
    PodProblem,
    st.sampled_from(["refused", "unschedulable", "image", "crashed", "starting"]),
    st.sampled_from(["", "words."]),
    times,
    st.sampled_from(["", "karpenter", "scheduler", NODE_PROVISIONING]),
    restarts=st.integers(0, 12),
    retryable=st.booleans(),
)
jobs = st.builds(
    JobObserved,
    name=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(["plan", "work"]),
    attempt=st.integers(1, 4) | st.integers(11, 13),
    suspended=st.booleans(),
    deleting=st.booleans(),
    ready=st.integers(0, 2),
    failed=st.integers(0, 2),
    parallelism=st.integers(1, 300),
    finished=st.sampled_from([None, None, "Complete", "Failed"]),
    reason=st.sampled_from(["", "PodFailurePolicy", "DeadlineExceeded"]),
    started_s=st.none() | times,
    error=st.sampled_from([None, ERROR, {}, {"reason": "Unheard", "segment": 0}]),
    problem=problems,
    epoch=st.integers(0, 2),
    batch=st.integers(0, 3),
)
heads = st.builds(
    a_head,
    segments=st.sampled_from([0, 1, 10, 100_000]),
    frames=st.sampled_from([0, 3000, 10**7]),
    error=st.sampled_from([None, None, ERROR]),
)
tables = st.builds(
    ResultsObserved,
    epoch=st.integers(0, 2),
    committed=st.integers(0, 12).map(lambda count: frozenset(range(count))),
    failures=st.sampled_from([(), (FailureObserved(3, 0, ERROR),)]),
    finished=st.sampled_from([None, None, "Completed", "PartiallyCompleted", "Failed", "?"]),
    frames_done=st.none() | st.integers(0, 10),
    open=st.booleans(),
    reason=st.sampled_from(["", "NoFrames", "?"]),
)
servers = st.builds(ServerObserved, st.integers(0, 3), st.integers(0, 2), problems, st.none() | times)
looks = st.builds(
    Observed,
    backend=st.lists(jobs, max_size=4).map(PodsObserved.from_jobs),
    head=st.none() | heads,
    results=st.none() | tables,
    server=st.none() | servers,
    store_error=st.sampled_from(["", "", "", "away"]),
    store_refusal=st.sampled_from([None, None, None, ERROR]),
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "suspend": st.booleans(),
        "resumes": st.integers(0, 2),
        "activeDeadlineSeconds": st.sampled_from([60, 3600]),
        "ttlSecondsAfterFinished": st.sampled_from([0, 60]),
        "deadline": st.sampled_from([{"completeWithin": "1m"}]),
        "compute": st.sampled_from([{"accelerator": "gpu"}, {"limits": {"gpus": 0, "cpus": 2}}]),
        "budget": st.just({"maxCost": "1"}),
    },
)
conditions = st.sampled_from(["True", "False", "Unknown"])
statuses = st.one_of(
    st.none(),
    st.just({}),
    st.builds(a_status, st.sampled_from(["Processing", "Suspended"]), ServerReady=conditions, Suspended=conditions),
    st.builds(ended_status, st.sampled_from(["Completed", "NoFrames"])),
)
labels = st.sampled_from([{}, {}, {"kueue.x-k8s.io/queue-name": "gpus"}])


@given(specs, statuses, labels, looks, st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_look_has_a_decision_without_contradiction(
    spec: dict[str, Any], status: dict[str, Any] | None, label: dict[str, str], observed: Observed, deleting: bool
) -> None:
    times = {"deletionTimestamp": "2027-01-15T08:00:00Z"} if deleting else {}
    job = a_job(spec, status=status, labels=label, **times)
    after, desired = stored(job, observed, INSTALLATION, NOW_S)

    assert after.status is not None
    assert (after.status.completion_time is not None) == desired.ended
    assert desired.reason in REASONS
    if desired.ended:
        assert REASONS[desired.reason].phase in {Phase.SUCCEEDED, Phase.FAILED}
        assert (desired.plan_job, desired.work_job, desired.demand, desired.begin, desired.finalise) == (
            None,
            None,
            None,
            False,
            False,
        )
    elif not deleting:
        assert REASONS[desired.reason].phase in {Phase.WAITING, Phase.WORKING}
        # Something brings the next reconcile: a step in the table, a Job that was made, a time, or the user.
        waits = desired.begin or desired.plan_job or desired.work_job or desired.requeue_s or desired.remove_jobs
        assert waits or job.spec.suspend
    if job.spec.suspend or deleting:
        assert desired.demand is None
        assert not desired.begin
    assert not (desired.begin and desired.finalise)
    assert not (desired.delete_self and not desired.ended)
    names = {one.name for one in PodsObserved.of(observed.backend).jobs}
    assert set(desired.remove_jobs) <= names
    if desired.plan_job is not None:
        assert plan_job(job, desired.plan_job, INSTALLATION)["spec"]["suspend"] is desired.plan_job.suspended
        assert config_map(job, INSTALLATION)["data"]
    if desired.work_job is not None:
        made = work_job(job, desired.work_job, INSTALLATION)["spec"]
        assert 1 <= made["parallelism"] <= 300
        assert made["completions"] <= 100_000
        assert desired.work_job.epoch
