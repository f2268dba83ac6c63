"""The status that a decision leads to: valid for the API, quiet when nothing has changed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decisions import (
    ERROR,
    INSTALLATION,
    NOW_S,
    READY,
    a_head,
    a_job,
    a_plan_job,
    a_status,
    a_work_job,
    ended_status,
    look,
    observed_jobs,
    problem,
    results,
    running,
    stored,
)
from videojob.api.status import VideoJobStatus
from videojob.api.videojob import VideoJob
from videojob.kube.render.status import decimal, duration_text, merge_patch, status_of, timestamp
from videojob.planning.lifecycle.progress import progress_of
from videojob.planning.state.last_status import LastStatus, last_status_of
from videojob.planning.state.observed import Observed, ServerObserved

WORKING = running(a_work_job(), server=READY, results=results(4))
GPU_SPEC = {"compute": {"accelerator": "gpu"}}


def status(job: VideoJob, observed: Observed, now_s: float = NOW_S) -> dict[str, Any]:
    after, _ = stored(job, observed, INSTALLATION, now_s)
    assert after.status is not None
    return after.status.as_manifest()


def test_a_job_at_work_tells_how_far_it_is_and_where() -> None:
    found = status(a_job(GPU_SPEC), WORKING)
    assert found["columns"] == {
        "progress": "1200/3000",
        "framesPerSecond": "120",
        "gpus": "1",
        "eta": "15s",
        "cost": "-",
    }
    assert found["progress"] == {
        "framesDone": 1200,
        "framesTotal": 3000,
        "segmentsDone": 4,
        "segmentsTotal": 10,
        "progressPercentage": 40,
        "estimatedRemainingSeconds": 15,
        "lastUpdatedTime": timestamp(NOW_S),
    }
    assert found["throughput"] == {"framesPerSecond": "120.0"}
    assert found["placement"] == {
        "backend": "kubernetes",
        "instanceType": "g6.xlarge",
        "capacityType": "spot",
        "replicas": 1,
        "gpus": 1,
        "epoch": 1,
        "server": {
            "model": "face_detector",
            "version": 1,
            "accelerator": "gpu",
            "gpu": "",
            "capacityTypes": [],
            "instanceTypes": [],
        },
        "why": "spec.compute.accelerator asks for gpu",
        "runnersUp": [],
    }
    assert (found["startTime"], found["epoch"]) == (timestamp(NOW_S), 1)
    assert "completionTime" not in found


def test_a_job_that_just_began_has_dashes() -> None:
    found = status(a_job(), observed_jobs())
    assert found["columns"] == {"progress": "-", "framesPerSecond": "-", "gpus": "-", "eta": "-", "cost": "-"}
    assert "progress" not in found


def test_a_held_job_that_never_began_may_still_change() -> None:
    assert "startTime" not in status(a_job({"suspend": True}), observed_jobs())


def test_the_end_has_the_counted_frames_and_where_the_results_are() -> None:
    working, _ = stored(a_job(GPU_SPEC), WORKING, INSTALLATION, NOW_S)
    found = status(working, running(results=results(10, finished="Completed", frames_done=2990)), NOW_S + 50)
    assert (found["progress"]["framesDone"], found["progress"]["framesTotal"]) == (2990, 2990)
    assert found["columns"] == {"progress": "2990/2990", "framesPerSecond": "-", "gpus": "0", "eta": "-", "cost": "-"}
    assert found["results"]["table"] == "videojob-results"
    assert found["results"]["summaryKey"] == "team.1 SUMMARY#000001"
    assert (found["startTime"], found["completionTime"]) == (timestamp(NOW_S), timestamp(NOW_S + 50))


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    one, _ = stored(a_job(), running(), INSTALLATION, NOW_S)
    two, _ = stored(one, WORKING, INSTALLATION, NOW_S + 60)
    assert two.status is not None
    times = {one.type: one.last_transition_time for one in two.status.conditions}
    assert times["Succeeded"] == timestamp(NOW_S)
    assert times["ServerReady"] == timestamp(NOW_S + 60)


LOOKS = {
    "start": observed_jobs(),
    "planning": observed_jobs(jobs=(a_plan_job(active=1),)),
    "failed plan": observed_jobs(jobs=(a_plan_job(finished="Failed", error=ERROR),)),
    "begun": running(),
    "refused": running(server=ServerObserved(1, 0, problem("unschedulable", "x" * 9000, source="karpenter"))),
    "loading": running(a_work_job(suspended=True), server=ServerObserved(1, 0, problem("starting"))),
    "working": WORKING,
    "aggregating": running(a_work_job(finished="Complete"), results=results(10)),
    "no frames": running(head=a_head(frames=0, segments=0), server=READY),
    "done": running(results=results(10, finished="Completed", frames_done=2990)),
    "table away": observed_jobs(jobs=(a_work_job(),), store_error="away"),
}


@pytest.mark.parametrize("observed", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("before", [None, a_status(), ended_status()], ids=["new", "working", "over"])
def test_every_status_is_valid_and_a_second_look_changes_nothing(
    before: dict[str, Any] | None, observed: Observed, suspend: bool
) -> None:
    job = a_job({"suspend": suspend}, status=before)
    once, first = stored(job, observed, INSTALLATION, NOW_S)
    assert once.status is not None
    assert once.status.conditions[0].reason == first.reason
    assert len(once.status.conditions[0].message) <= 4000
    again = observed
    twice, second = stored(once, again, INSTALLATION, NOW_S + 3)
    assert twice.status == once.status
    assert second.events == () or all(one.reason == "SegmentRetried" for one in second.events)


def test_the_time_left_moves_only_with_the_work() -> None:
    one, _ = stored(a_job(), WORKING, INSTALLATION, NOW_S)
    assert status(one, WORKING, NOW_S + 30)["progress"] == status(one, WORKING, NOW_S)["progress"]
    later = status(one, running(a_work_job(), server=READY, results=results(6)), NOW_S + 30)
    assert later["progress"]["lastUpdatedTime"] == timestamp(NOW_S + 30)


@pytest.mark.parametrize(
    ("recorded", "committed", "since_s", "rate"),
    [
        (LastStatus(), 0, 10, None),
        (LastStatus(), 2, None, None),
        (LastStatus(), 2, 10, 60),
        (LastStatus(), 2, 0, 600),
        (LastStatus(frames_done=0, updated_s=NOW_S - 99), 2, 10, 60),
        (LastStatus(frames_done=600, updated_s=NOW_S - 9, frames_per_second=Fraction(7)), 2, 50, 7),
        (LastStatus(frames_done=300, updated_s=NOW_S - 10), 2, 50, 30),
        # Workers were held in between: what was done before says nothing about this time.
        (LastStatus(frames_done=300, updated_s=NOW_S - 1000), 2, 10, 30),
    ],
)
def test_the_rate_is_that_of_the_workers_now(
    recorded: LastStatus, committed: int, since_s: float | None, rate: int | None
) -> None:
    since = None if since_s is None else NOW_S - since_s
    assert progress_of(a_head(), committed, recorded, working_since_s=since, now_s=NOW_S).frames_per_second == rate


@given(st.integers(1, 3000), st.floats(1, 600), st.integers(1, 1000))
def test_the_rate_lies_between_the_old_and_the_new_one(before: int, passed_s: float, old: int) -> None:
    recorded = LastStatus(frames_done=before, updated_s=NOW_S - passed_s, frames_per_second=Fraction(old))
    found = progress_of(a_head(), 10, recorded, working_since_s=NOW_S - 10**6, now_s=NOW_S)
    assert found.frames_per_second is not None
    if before < 3000:
        new = (3000 - before) / passed_s
        assert min(old, new) * 0.99 <= found.frames_per_second <= max(old, new) * 1.01
        assert found.remaining_s == 0


def test_a_status_is_read_back_as_it_was_meant() -> None:
    job, _ = stored(a_job(), WORKING, INSTALLATION, NOW_S)
    recorded = last_status_of(job.status)
    assert (recorded.reason, recorded.frames_total, recorded.frames_left) == ("Processing", 3000, 1800)
    assert (recorded.updated_s, recorded.started_s) == (NOW_S, NOW_S)
    assert recorded.frames_per_second == 120
    assert (recorded.since_s("ServerReady", "True"), recorded.since_s("ServerReady", "False")) == (NOW_S, None)
    assert (LastStatus().reason, LastStatus().status_of("Suspended"), LastStatus().frames_left) == ("Queued", "", 0)
    assert last_status_of(VideoJobStatus()) == LastStatus()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (23, "23s"), (250, "4m10s"), (7500, "2h5m"), (277_200, "3d5h"), (10**9, "30d")],
)
def test_durations_are_short(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


def test_decimals_are_rounded_to_their_step() -> None:
    assert (decimal(Fraction(1, 3), "0.1"), decimal(Fraction(412), "0.1")) == ("0.3", "412.0")


plain = st.recursive(
    st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), plain, max_size=3)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


@given(objects, objects)
def test_a_merge_patch_makes_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = merge_patch(before, after)
    assert merged(before, patch) == after
    assert (patch == {}) == (before == after)


def test_what_is_over_is_quiet_for_ever() -> None:
    job = a_job(status=ended_status() | {"placement": {"backend": "kubernetes", "replicas": 2, "gpus": 2, "why": "x"}})
    once = status(job, observed_jobs())
    assert once["placement"]["gpus"] == 0
    assert look(observed_jobs(), status=once).events == ()
    twice = VideoJob.from_manifest(job.as_manifest() | {"status": once})
    desired, nothing = look(observed_jobs(), status=once), observed_jobs()
    assert (
        status_of(twice, desired, nothing, installation=INSTALLATION, table="t", summary_key="", now_s=NOW_S + 9999)
        == once
    )
