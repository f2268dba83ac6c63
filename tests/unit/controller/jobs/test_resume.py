"""A VideoJob that failed and is resumed, against a cluster and a table in memory."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import NOW_S
from support.job_desk import KEY, SERVER, JobDesk
from support.plans import planned_job
from videojob.errors import InputCorrupt, InputUnavailable, SinkUnavailable
from videojob.kube.kinds import EVENTS, JOBS, VIDEOJOBS
from videojob.kube.render.status import timestamp
from videojob.video.plan import SegmentDoubt, SegmentFailure
from videojob.worker.fold.messages import Folded


def failed(desk: JobDesk) -> None:
    """Its workers gave up, after four of ten segments and two videos."""
    work = desk.let_work()
    desk.table.committed_segments = {0, 1, 2, 3}
    for segment, error in ((5, InputCorrupt("damaged")), (6, InputUnavailable("away"))):
        desk.table.failed[segment] = SegmentFailure(segment, segment, error.as_dict())
    desk.table.noted[7, "DecoderCrashed"] = SegmentDoubt(7, "DecoderCrashed", "pod-1", 1)
    ended = {"type": "Failed", "status": "True", "reason": "MaxFailedIndexesExceeded", "message": "gave up"}
    desk.cluster.put(JOBS, work | {"status": {"failed": 1, "conditions": [ended]}})
    desk.clock.seconds += 10
    desk.look()
    desk.folds.end(KEY, Folded(None))  # segments are open
    desk.look()
    assert (desk.reason, "completionTime" in desk.status) == ("BackoffLimitExceeded", True)
    assert desk.demands.of(SERVER) == []


def resume(desk: JobDesk, **spec: Any) -> None:
    desk.cluster.put(VIDEOJOBS, desk.job | {"spec": desk.job["spec"] | {"resumes": 1} | spec})
    desk.clock.seconds += 10


@pytest.fixture
def desk() -> JobDesk:
    made = JobDesk()
    made.table.videos = planned_job(cuts=[0] * 10)
    return made


def names(desk: JobDesk) -> list[str]:
    return sorted(
        one["metadata"]["name"].rpartition("-work-")[2] for one in desk.jobs if "-work-" in one["metadata"]["name"]
    )


def test_a_running_job_that_gets_a_budget_ends_with_one_message_and_goes_on_without_it(desk: JobDesk) -> None:
    desk.let_work()
    desk.table.committed_segments = {0, 1, 2, 3}
    desk.clock.seconds += 10
    spec = desk.job["spec"]
    desk.cluster.put(VIDEOJOBS, desk.job | {"spec": spec | {"budget": {"maxCost": "10"}}})
    desk.look()
    assert desk.reason == "UnsupportedField"
    (succeeded,) = [one for one in desk.status["conditions"] if one["type"] == "Succeeded"]
    assert succeeded["message"] == (
        "this version does not support on a cluster: spec.budget. Remove it from the VideoJob. "
        "Then resume the VideoJob (`videojob resume NAME`): finished segments are kept."
    )
    assert all(one["spec"].get("suspend") for one in desk.jobs if "-work-" in one["metadata"]["name"])
    said = [one["message"] for one in desk.cluster.list(EVENTS) if one["reason"] == "UnsupportedField"]
    desk.look()
    assert [one["message"] for one in desk.cluster.list(EVENTS) if one["reason"] == "UnsupportedField"] == said
    assert len(said) == 1
    desk.cluster.put(VIDEOJOBS, desk.job | {"spec": spec | {"resumes": 1}})
    desk.clock.seconds += 10
    desk.look()
    assert desk.condition("Succeeded")[0] == "Unknown"
    assert desk.table.committed_segments == {0, 1, 2, 3}


def test_it_keeps_its_commits_and_forgets_what_may_have_passed(desk: JobDesk) -> None:
    failed(desk)
    begun = desk.status["startTime"]
    resume(desk, backoffLimit=9)
    desk.look()
    assert desk.condition("Succeeded")[0] == "Unknown"
    assert "completionTime" not in desk.status
    assert (desk.status["startTime"], desk.status["resumes"], desk.status["epoch"]) == (begun, 1, 1)
    assert desk.status["resumeTime"] == timestamp(NOW_S + desk.clock.seconds)
    assert (sorted(desk.table.failed), desk.table.noted) == ([5], {})
    assert names(desk) == ["1", "11"]
    (new,) = (one for one in desk.jobs if one["metadata"]["name"].endswith("-work-11"))
    assert new["spec"]["backoffLimitPerIndex"] == 9
    assert "--backoff-limit=9" in new["spec"]["template"]["spec"]["containers"][0]["args"]
    assert len(desk.demands.of(SERVER)) == 1
    assert [one["message"] for one in desk.cluster.list(EVENTS) if one["reason"] == "Resumed"] == [
        "spec.resumes is 1: the job resumes, 4 of 10 segments are kept"
    ]
    desk.table.failed[8] = SegmentFailure(8, 8, InputUnavailable("away again").as_dict())
    desk.clock.seconds += 10
    desk.look()
    assert sorted(desk.table.failed) == [5, 8], "only the look that resumes it forgets"


def test_it_is_not_resumed_while_the_table_is_away(desk: JobDesk) -> None:
    failed(desk)
    before = desk.status
    resume(desk)
    desk.table.problem = lambda _name: SinkUnavailable("no route")
    with pytest.raises(SinkUnavailable):
        desk.look()
    assert desk.status == before, "who is to forget what passed would not be asked again"
    desk.table.problem = lambda _name: None
    desk.look()
    assert (desk.status["resumes"], sorted(desk.table.failed)) == (1, [5])


def test_what_was_done_twice_is_done_once(desk: JobDesk) -> None:
    """A controller that is killed before it writes the status does all of it again."""
    failed(desk)
    resume(desk)
    job = desk.job
    desk.look()
    desk.cluster.put(VIDEOJOBS, job)
    desk.use(desk.installation)
    desk.look()
    assert names(desk) == ["1", "11"]
    assert KEY in desk.wrote
