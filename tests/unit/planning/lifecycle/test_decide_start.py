"""What is decided about a VideoJob before its work begins: refusals, the plan, a table that is away."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import (
    ERROR,
    INSTALLATION,
    NOW_S,
    READY,
    a_catalogue,
    a_head,
    a_job,
    a_plan_job,
    a_status,
    a_work_job,
    condition,
    decide,
    look,
    observed_jobs,
    problem,
    results,
    running,
    stored,
)
from videojob.planning.installation import ResultsSettings, WorkerSettings
from videojob.planning.state.pods import JobObserved, PlannerDesired

# What is refused.


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"model": {"name": "nobody"}}, "ModelNotFound", "face_detector"),
        ({"model": {"name": "face_detector", "version": 2}}, "ModelNotFound", "ask for 1"),
        ({"inputs": [{"file": {"path": "a.mp4"}}]}, "UnsupportedField", "spec.inputs[].file"),
        ({"compute": {"backend": "lambda"}}, "UnsupportedField", "spec.compute.backend"),
        ({"compute": {"backend": "sagemaker"}}, "UnsupportedField", "spec.compute.backend"),
        ({"compute": {"backend": "local"}}, "UnsupportedField", "spec.compute.backend"),
        ({"budget": {"maxCost": "2.50"}}, "UnsupportedField", "spec.budget"),
        ({"results": {"detections": {"s3": {"bucket": "out"}}}}, "UnsupportedField", "spec.results.detections"),
        ({"results": {"preview": {"s3": {"bucket": "out"}}}}, "UnsupportedField", "spec.results.preview"),
        ({"results": {"dynamodb": {"tableName": "theirs"}}}, "TableNotAllowed", "team-results"),
        (
            {"results": {"dynamodb": {"tableName": "team-results", "region": "us-east-1"}}},
            "TableNotAllowed",
            "eu-central-1",
        ),
        ({"results": {"dynamodb": {"tableName": "theirs", "region": "eu-central-1"}}}, "TableNotAllowed", "theirs"),
        ({"results": {"dynamodb": {"tableName": "team-results", "region": "eu-central-1"}}}, "", ""),
        ({"compute": {"accelerator": "cpu", "limits": {"cpus": 1}}}, "", ""),
        ({"compute": {"limits": {"gpus": 0}}}, "", ""),
        ({"results": {"dynamodb": {"tableName": "team-results"}}}, "", ""),
        ({"results": {"detections": {"enabled": False}}}, "", ""),
        ({"compute": {"backend": "kubernetes"}}, "", ""),
    ],
)
def test_what_cannot_be_done_here_is_refused_before_anything_starts(
    spec: dict[str, Any], reason: str, words: str
) -> None:
    desired = look(observed_jobs(), spec)
    if not reason:
        assert (desired.ended, desired.plan_job) == (False, PlannerDesired(1))
        return
    assert (desired.reason, desired.ended, desired.started) == (reason, True, True)
    assert words in desired.message
    assert (desired.plan_job, desired.demand) == (None, None)


@pytest.mark.parametrize(
    ("own", "env", "asked", "allowed"),
    [
        (None, {"AWS_REGION": "eu-west-1"}, "eu-west-1", True),
        (None, {"AWS_REGION": "eu-west-1"}, "us-east-1", False),
        ("eu-central-1", {"AWS_REGION": "eu-west-1"}, "eu-west-1", False),
        (None, {}, "us-east-1", False),
        (None, {}, None, True),
    ],
)
def test_results_stay_in_the_region_of_the_installation(
    own: str | None, env: dict[str, str], asked: str | None, allowed: bool
) -> None:
    installation = a_catalogue(results=ResultsSettings("own-table", (), own), worker=WorkerSettings(env=env))
    target = {"tableName": "own-table"} | ({} if asked is None else {"region": asked})
    desired = decide(a_job({"results": {"dynamodb": target}}), observed_jobs(), installation, NOW_S)
    assert desired.reason == ("Probing" if allowed else "TableNotAllowed")


@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
def test_hardware_that_is_not_offered_is_no_placement(accelerator: str) -> None:
    other = "gpu" if accelerator == "cpu" else "cpu"
    installation = a_catalogue(accelerators={other: INSTALLATION.accelerators[other]})  # type: ignore[index]
    desired = decide(a_job({"compute": {"accelerator": accelerator}}), observed_jobs(), installation, NOW_S)
    assert (desired.reason, f"served on {other} here" in desired.message) == ("NoPlacement", True)


def test_a_worker_that_does_not_fit_the_limit_of_cpus_is_no_placement() -> None:
    big = a_catalogue(worker=type(INSTALLATION.worker)(cpu="2500m"))
    desired = decide(a_job({"compute": {"limits": {"cpus": 2}}}), observed_jobs(), big, NOW_S)
    assert (desired.reason, "limits.cpus" in desired.message) == ("NoPlacement", True)


def test_a_summary_that_is_stored_outlives_the_model_that_made_it() -> None:
    observed = running(results=results(10, finished="Completed", frames_done=3000))
    assert look(observed, {"model": {"name": "nobody"}}).reason == "Completed"


def test_what_has_no_effect_here_is_said_once() -> None:
    topic = {"snsTopicArn": "arn:aws:sns:eu-central-1:123456789012:topic"}
    job = a_job({"notifications": {"error": topic}})
    after, first = stored(job, observed_jobs(), INSTALLATION, NOW_S)
    said = [one for one in first.events if one.reason == "FieldIgnored"]
    assert [(one.type, "spec.notifications" in one.message) for one in said] == [("Warning", True)]
    assert decide(after, observed_jobs(), INSTALLATION, NOW_S + 1).events == ()


# The plan.


def test_the_first_look_asks_for_a_planner() -> None:
    desired = look(observed_jobs())
    assert (desired.reason, desired.plan_job, desired.started) == ("Probing", PlannerDesired(1), True)
    assert desired.demand is None


@pytest.mark.parametrize(
    ("seen", "wanted", "reason"),
    [
        (a_plan_job(active=1), PlannerDesired(1), "Probing"),
        (a_plan_job(suspended=True), PlannerDesired(1), "Probing"),
        (a_plan_job(deleting=True), None, "Probing"),
        (a_plan_job(finished="Complete"), PlannerDesired(2), "Probing"),
        (a_plan_job(2, finished="Complete"), PlannerDesired(3), "Probing"),
        (a_plan_job(3, finished="Complete"), None, "ResultsIncomplete"),
        (a_plan_job(finished="Failed", error=ERROR), PlannerDesired(2), "Probing"),
        (a_plan_job(3, finished="Failed", error=ERROR), None, "InputNotFound"),
        (a_plan_job(finished="Failed", message="it gave up"), None, "BackoffLimitExceeded"),
        (a_plan_job(finished="Failed", error={"reason": "Unheard", "message": "?"}), None, "InternalError"),
        (a_plan_job(problem=problem("unschedulable", source="karpenter")), PlannerDesired(1), "ProvisioningCPU"),
        (a_plan_job(problem=problem("image")), PlannerDesired(1), "ImagePullFailed"),
        (a_plan_job(problem=problem("refused")), PlannerDesired(1), "CreationRefused"),
        (a_plan_job(problem=problem("starting")), PlannerDesired(1), "Probing"),
        (a_plan_job(problem=problem("crashed")), PlannerDesired(1), "Probing"),
    ],
)
def test_a_planner_is_followed_to_its_end(seen: JobObserved, wanted: PlannerDesired | None, reason: str) -> None:
    desired = look(observed_jobs(jobs=(seen,)))
    assert (desired.plan_job, desired.reason) == (wanted, reason)
    assert desired.ended == (reason in {"ResultsIncomplete", "InputNotFound", "BackoffLimitExceeded", "InternalError"})


def test_a_planner_that_failed_says_what_where_and_what_to_do() -> None:
    desired = look(observed_jobs(jobs=(a_plan_job(3, finished="Failed", error=ERROR),)))
    assert desired.message == "there is no such object (s3://clips/a.mp4). Check the key."


def test_a_segment_is_named_where_there_is_one() -> None:
    desired = look(observed_jobs(jobs=(a_plan_job(3, finished="Failed", error=ERROR | {"segment": 7}),)))
    assert "(s3://clips/a.mp4, segment 7)" in desired.message


def test_a_planner_without_words_has_its_jobs_and_its_pods() -> None:
    seen = a_plan_job(finished="Failed", message="gave up", problem=problem("crashed", "OOMKilled"))
    assert "gave up; OOMKilled" in look(observed_jobs(jobs=(seen,))).message


def test_a_plan_in_which_nothing_can_be_run_ends_the_job() -> None:
    desired = look(observed_jobs(head=a_head(error=ERROR, segments=0)))
    assert (desired.reason, desired.begin) == ("InputNotFound", False)


@pytest.mark.parametrize("seen", [None, results(epoch=0)])
def test_a_plan_begins_an_epoch(seen: Any) -> None:
    desired = look(observed_jobs(head=a_head(), results=seen))
    assert (desired.begin, desired.work_job) == (True, None)


# The results table is away.


def test_everything_stays_as_it_is() -> None:
    job, _ = stored(a_job(), running(a_work_job(), server=READY, results=results(4)), INSTALLATION, NOW_S)
    away = observed_jobs(jobs=(a_work_job(),), store_error="no route to host")
    after, desired = stored(job, away, INSTALLATION, NOW_S + 1)
    assert (desired.reason, desired.ended, desired.finalise, desired.begin) == ("Processing", False, False, False)
    assert (desired.work_job, desired.plan_job, desired.remove_jobs) == (None, None, ())
    assert desired.demand is not None
    assert desired.demand.frames_left == 1800
    assert "no route to host" in desired.message
    assert condition(desired, "ServerReady") == ("True", "Processing")
    assert after.status is not None
    assert job.status is not None
    assert after.status.progress == job.status.progress


@pytest.mark.parametrize(
    "job", [a_work_job(suspended=True), a_work_job(finished="Complete"), a_work_job(deleting=True)]
)
def test_who_was_not_at_work_asks_for_no_server(job: JobObserved) -> None:
    assert look(observed_jobs(jobs=(job,), store_error="away")).demand is None


def test_the_limit_ends_only_what_cannot_have_been_finished() -> None:
    spec = {"activeDeadlineSeconds": 50}
    away = observed_jobs(store_error="away")
    assert not look(away, spec, status=a_status()).ended
    planning = {name: value for name, value in a_status().items() if name != "epoch"}
    assert look(away, spec, status=planning).reason == "DeadlineExceeded"


def test_a_fault_in_what_is_stored_is_no_reason_to_wait() -> None:
    fault = {"reason": "ItemTooLarge", "message": "the summary is too large"}
    desired = look(running(a_work_job(finished="Complete"), results=results(10), store_refusal=fault))
    assert (desired.reason, desired.ended) == ("ItemTooLarge", True)
