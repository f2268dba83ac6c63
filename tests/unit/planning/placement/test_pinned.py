"""Workers keep the server that they began with, whatever the installation says later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.decisions import (
    CPU,
    GPU,
    INSTALLATION,
    NOW_S,
    READY,
    a_catalogue,
    a_head,
    a_job,
    a_status,
    a_work_job,
    decide,
    results,
    running,
    stored,
)
from support.job_desk import KEY, JobDesk
from support.plans import plan_head, planned_job
from videojob.api.videojob import VideoJob
from videojob.controller.fleet.servers import ServerObserver, ServerReconciler
from videojob.errors import ModelNotFound, NoPlacement, VideoJobError
from videojob.kube.kinds import DEPLOYMENTS, JOBS, VIDEOJOBS
from videojob.kube.names import server_key_from_text, server_key_text, server_name
from videojob.planning.installation import Accelerator, Installation, ServerVariant
from videojob.planning.lifecycle.stored import stored_job
from videojob.planning.placement.pinned import place_for
from videojob.planning.state.observed import Observed, ResultsObserved
from videojob.planning.state.placement import Place, ServerKey
from videojob.planning.state.pods import JobObserved, PodsObserved
from videojob.worker.fold.messages import Folded

OLD = ServerKey("face_detector", 1, "cpu")
NEW = replace(OLD, version=2)
ON_GPU = replace(OLD, accelerator="gpu")
MANY = 10**6


def offering(version: int = 1, *kinds: Accelerator) -> Installation:
    """An installation with a version of the face detector on these kinds of hardware."""
    variants: dict[Accelerator, ServerVariant] = {"cpu": CPU, "gpu": GPU}
    offered = {kind: variants[kind] for kind in kinds or ("cpu",)}
    model = replace(INSTALLATION.models["face_detector"], version=version, variants=offered)
    by_kind = {kind: INSTALLATION.accelerators[kind] for kind in offered}
    return a_catalogue(models={"face_detector": model}, accelerators=by_kind)


def work(server: ServerKey | None = OLD, **changes: Any) -> JobObserved:
    return a_work_job(server=server, **changes)


def where_of(job: VideoJob, observed: Observed, installation: Installation) -> Place:
    return place_for(stored_job(job, installation), observed, installation)


def observed_of(*jobs: JobObserved, **changes: Any) -> Observed:
    """A job that has its plan, with many frames."""
    return running(*jobs, **{"head": a_head(frames=MANY)} | changes)


@pytest.mark.parametrize(
    ("jobs", "seen", "installation", "expected"),
    [
        ([work()], results(), offering(1, "cpu", "gpu"), OLD),
        ([work()], results(), offering(2), OLD),
        ([work(finished="Complete")], results(3), offering(2), OLD),
        ([work(suspended=True)], results(3), offering(2), OLD),
        ([work(suspended=True)], None, offering(2), OLD),
        # Workers that never began may begin elsewhere, where they could not with what their Job names.
        ([work(suspended=True)], results(), offering(2), NEW),
        ([work(ON_GPU, suspended=True)], results(), offering(1), OLD),
        ([work(suspended=True)], results(), offering(1, "cpu", "gpu"), OLD),
        ([], results(), offering(1, "cpu", "gpu"), ON_GPU),
        ([work(None)], results(), offering(1, "cpu", "gpu"), ON_GPU),
        # Another epoch is another run, which may have another model.
        ([work(epoch=1)], results(epoch=2), offering(2), NEW),
        ([work(OLD, epoch=1), work(NEW, attempt=2, epoch=2)], results(epoch=2), offering(3), NEW),
        ([work(OLD, attempt=1), work(NEW, attempt=2)], results(), offering(3), NEW),
        # Somebody changed the Job: the model is what the VideoJob asks for.
        ([work(replace(OLD, model="other"))], results(), offering(2), NEW),
    ],
)
def test_the_server_is_that_of_the_workers_and_else_the_best_of_today(
    jobs: Sequence[JobObserved], seen: ResultsObserved | None, installation: Installation, expected: ServerKey
) -> None:
    assert where_of(a_job(), observed_of(*jobs, results=seen), installation).key == expected


@pytest.mark.parametrize(
    ("server", "installation", "error"),
    [
        (OLD, a_catalogue(models={}), ModelNotFound),
        (ON_GPU, offering(1), NoPlacement),
        (OLD, a_catalogue(accelerators={"gpu": INSTALLATION.accelerators["gpu"]}), NoPlacement),
    ],
)
def test_workers_that_began_with_what_is_gone_end_with_words(
    server: ServerKey, installation: Installation, error: type[VideoJobError]
) -> None:
    with pytest.raises(error, match="the job started") as caught:
        where_of(a_job(), observed_of(work(server)), installation)
    assert "Create the VideoJob again" in caught.value.hint
    desired = decide(a_job(status=a_status()), running(work(server), server=READY), installation, NOW_S)
    assert (desired.ended, desired.reason) == (True, error.reason)


def test_a_recorded_placement_keeps_its_reason_whatever_would_be_chosen_now() -> None:
    chosen = where_of(a_job(), observed_of(results=results()), INSTALLATION)
    job, _ = stored(a_job(), observed_of(results=results(), server=READY), INSTALLATION, NOW_S)
    fewer = observed_of(work(chosen.key), head=a_head(frames=1), results=results(1))
    on_job = replace(fewer, backend=PodsObserved.from_jobs([work(chosen.key, why=chosen.why)]))
    assert chosen.why
    for kept in (where_of(job, fewer, INSTALLATION), where_of(a_job(), on_job, INSTALLATION)):
        assert (kept.key, kept.why) == (chosen.key, chosen.why)
    assert where_of(a_job(), replace(fewer, backend=PodsObserved()), INSTALLATION).key != chosen.key


def test_a_placement_outlives_the_job_of_its_workers() -> None:
    # Kueue's Jobs are deleted while a VideoJob is suspended; the status still has where its segments were answered.
    job, _ = stored(a_job(), observed_of(results=results(), server=READY), offering(1), NOW_S)
    assert where_of(job, observed_of(results=results(3)), offering(2)).key == OLD
    assert where_of(job, observed_of(results=results()), offering(2)).key == NEW
    assert where_of(job, observed_of(results=results(epoch=2)), offering(2)).key == NEW


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from([("cpu",), ("gpu",), ("cpu", "gpu")]), st.integers(1, 10**7)),
        min_size=2,
        max_size=8,
    ),
    loses_jobs=st.booleans(),
)
def test_a_placement_never_changes_within_an_epoch_in_which_workers_started(
    steps: list[tuple[int, tuple[Accelerator, ...], int]], loses_jobs: bool
) -> None:
    """Versions, hardware and estimates change between any two reconciles; the choice does not, or the job fails."""
    job, keys = a_job(status=a_status()), set[ServerKey]()
    jobs: tuple[JobObserved, ...] = ()
    for at, (version, kinds, frames) in enumerate(steps):
        observed = observed_of(*jobs, head=a_head(frames=frames), results=results(min(at, 9)), server=READY)
        job, desired = stored(job, observed, offering(version, *kinds), NOW_S + at)
        if desired.ended:
            assert desired.reason in {"ModelNotFound", "NoPlacement"}
            break
        assert desired.work_job is not None
        keys.add(desired.work_job.server)
        jobs = () if loses_jobs and at else (work(desired.work_job.server),)
    assert len(keys) == 1


def test_a_version_that_is_asked_for_is_kept_like_any_other() -> None:
    job = a_job({"model": {"name": "face_detector", "version": 1}}, status=a_status())
    desired = decide(job, running(work(), server=READY), offering(2), NOW_S)
    assert desired.demand is not None
    assert desired.demand.key == OLD


def test_a_job_whose_old_server_is_gone_fails_instead_of_mixing_two_versions() -> None:
    desired = decide(a_job(status=a_status()), running(work(), results=results(3)), offering(2), NOW_S)
    assert (desired.ended, desired.reason) == (True, "ModelNotFound")
    assert "started with version 1 of face_detector" in desired.message
    assert "version 2 now" in desired.message


def test_workers_that_wait_for_a_server_of_an_old_version_are_made_anew() -> None:
    waiting = work(suspended=True, active=0, ready=0, started_s=None)
    desired = decide(a_job(status=a_status("LoadingModel")), running(waiting), offering(2), NOW_S)
    assert (desired.ended, desired.remove_jobs, desired.work_job) == (False, (waiting.name,), None)
    after = decide(a_job(status=a_status("LoadingModel")), running(), offering(2), NOW_S)
    assert after.work_job is not None
    assert after.work_job.server == NEW


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", server_key_text(OLD).replace('"face_detector"', "[]"), server_key_text(OLD).replace("1", '"1"')],
)
def test_what_is_no_key_is_not_taken_for_one(text: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        server_key_from_text(text)


def reconcile_server(desk: JobDesk, key: ServerKey) -> None:
    look = ServerObserver(desk.cluster, desk.installation, desk.clock)
    ServerReconciler(desk.cluster, desk.installation, desk.clock, desk.demands, look).reconcile(key)


@pytest.mark.parametrize("installation", [offering(2), offering(1, "cpu", "gpu"), offering(3, "cpu", "gpu")])
def test_an_upgrade_of_the_catalogue_leaves_workers_and_their_server_at_work(installation: Installation) -> None:
    desk = JobDesk(offering(1))
    job = desk.let_work()
    reconcile_server(desk, OLD)
    before = desk.cluster.stored[DEPLOYMENTS.plural, "videojob-system", server_name(OLD)]

    desk.use(installation)
    desk.demands.expect([])
    desk.table.videos = planned_job(cuts=[9])
    desk.table.head = replace(plan_head(desk.table.videos), frames=MANY)
    desk.table.committed_segments = {0, 1, 2}
    for _ in range(3):
        desk.clock.seconds += 60
        desk.look()
        reconcile_server(desk, OLD)
    assert desk.condition("Succeeded") == ("Unknown", "Processing")
    assert [one.key for one in desk.demands.of(OLD)] == [OLD]
    (now,) = [one for one in desk.jobs if one["metadata"]["name"] == job["metadata"]["name"]]
    assert now["spec"]["template"] == job["spec"]["template"]
    server = desk.cluster.stored[DEPLOYMENTS.plural, "videojob-system", server_name(OLD)]
    assert server["spec"]["replicas"] == 1
    assert server["spec"]["template"] == before["spec"]["template"], "not a word of another version gets into it"

    # Its Job ends with open segments: the next one of the same run has the same server.
    done = {
        "status": {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}]}
    }
    desk.cluster.put(JOBS, now | done)
    desk.clock.seconds += 60
    desk.look()
    desk.folds.end(KEY, Folded(None))
    desk.look()
    second = [one for one in desk.jobs if one["metadata"]["name"].endswith("work-2")]
    assert len(second) == 1
    assert f"--model-version={OLD.version}" in second[0]["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_server_of_an_old_version_shrinks_when_nobody_needs_it_and_is_not_made_again() -> None:
    desk = JobDesk(offering(1))
    desk.let_work()
    reconcile_server(desk, OLD)
    desk.use(offering(2))
    desk.cluster.stored.pop((VIDEOJOBS.plural, "team", "entrance"))
    desk.look()
    desk.demands.expect([])
    for _ in range(2):
        reconcile_server(desk, OLD)
        desk.clock.seconds += 61
    server = desk.cluster.stored[DEPLOYMENTS.plural, "videojob-system", server_name(OLD)]
    assert server["spec"]["replicas"] == 0
    desk.forget_server(OLD)
    reconcile_server(desk, OLD)
    assert desk.cluster.names(DEPLOYMENTS) == []
