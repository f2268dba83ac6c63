"""One reconcile of one VideoJob against a cluster and a table in memory: what is written when something is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from support.decisions import INSTALLATION, a_head
from support.job_desk import KEY, SERVER, JobDesk
from videojob.errors import (
    ClusterRefused,
    ClusterUnavailable,
    FoldFailed,
    JobTooLarge,
    SinkError,
    SinkUnavailable,
    VideoJobError,
)
from videojob.kube.kinds import CONFIG_MAPS, EVENTS, JOBS, NAMESPACES, PODS, VIDEOJOBS, Kind
from videojob.kube.render.status import timestamp
from videojob.planning.state.desired import ServerDemand
from videojob.planning.throughput.measured import Quantity, Subject
from videojob.results.aggregate.segment_results import SegmentConflict
from videojob.worker.fold.messages import Folded
from videojob.worker.steps.finalise import FinalOutcome

QUOTA = "jobs.batch is forbidden: exceeded quota: small, requested: count/jobs.batch=1, used: 3, limited: 3"


def refuse_jobs(desk: JobDesk, verb: str = "create", words: str = QUOTA) -> None:
    def refuse(asked: str, kind: Kind, _name: str) -> Exception | None:
        return ClusterRefused(f"403 {words}", retryable=True) if (asked, kind) == (verb, JOBS) else None

    desk.cluster.refuse = refuse


@pytest.mark.parametrize("planned", [False, True])
def test_a_job_that_may_not_be_made_says_so_in_the_words_of_the_api_server_and_is_tried_again(planned: bool) -> None:
    desk = JobDesk()
    desk.start()
    if planned:
        desk.plan()
    refuse_jobs(desk)
    with pytest.raises(ClusterRefused, match="exceeded quota"):
        desk.look()
    assert desk.condition("Succeeded") == ("Unknown", "CreationRefused")
    assert desk.condition("CapacityReady") == ("False", "CreationRefused")
    assert "exceeded quota: small" in desk.status["message"]
    assert "Raise the namespace's ResourceQuota" in desk.status["message"]
    assert desk.wrote == [KEY, KEY], "the start and the refusal, at once"
    assert any(one["reason"] == "CreationRefused" for one in desk.cluster.list(EVENTS))
    assert desk.demands.of(SERVER) == [], "no server is paid for work that cannot begin"
    assert desk.changed == []

    desk.cluster.refuse = lambda _verb, _kind, _name: None
    desk.clock.seconds += 10
    desk.look()
    assert desk.reason == ("ProvisioningCPU" if planned else "Probing")
    assert len(desk.jobs) == 1
    assert bool(desk.demands.of(SERVER)) == planned


def test_workers_that_are_at_it_keep_their_server_whatever_is_refused() -> None:
    desk = JobDesk()
    work = desk.let_work()
    desk.cluster.put(JOBS, work | {"spec": work["spec"] | {"parallelism": 0}})
    refuse_jobs(desk, "patch", "a policy")
    desk.clock.seconds += 10
    with pytest.raises(ClusterRefused, match="a policy"):
        desk.look()
    assert desk.reason == "CreationRefused"
    assert desk.condition("CapacityReady")[0] == "True"
    assert desk.condition("ServerReady")[0] == "True"
    assert len(desk.demands.of(SERVER)) == 1


def test_an_end_is_told_though_what_is_left_may_not_be_removed() -> None:
    desk = JobDesk()
    desk.let_work()
    value = desk.job
    desk.cluster.put(VIDEOJOBS, value | {"spec": value["spec"] | {"model": {"name": "unknown"}}})
    refuse_jobs(desk, "delete", "no right")
    for _ in range(2):
        with pytest.raises(ClusterRefused, match="no right"):
            desk.look()
    assert desk.condition("Succeeded") == ("False", "ModelNotFound")


def bad_spec(value: dict[str, Any]) -> dict[str, Any]:
    return value | {"spec": value["spec"] | {"fromTheFuture": 1}}


def test_a_job_that_cannot_be_read_says_so() -> None:
    desk = JobDesk()
    desk.start()
    desk.look()
    desk.cluster.put(VIDEOJOBS, bad_spec(desk.job))
    assert desk.look() is None
    assert desk.condition("Succeeded") == ("Unknown", "InvalidManifest")
    assert "spec.fromTheFuture" in desk.status["message"]
    assert "upgrade" in desk.status["message"]
    writes = len(desk.wrote)
    desk.look()
    assert len(desk.wrote) == writes, "said once"


def test_a_job_that_is_over_stays_so_though_it_cannot_be_read() -> None:
    desk = JobDesk()
    desk.start()
    over = {"completionTime": "2027-01-15T08:00:00Z", "message": "it is over"}
    desk.cluster.put(VIDEOJOBS, bad_spec(desk.job) | {"status": over})
    desk.look()
    assert desk.status == over


def test_a_status_that_may_not_be_written_about_a_job_that_cannot_be_read_is_no_failure() -> None:
    desk = JobDesk()
    desk.start()
    desk.cluster.put(VIDEOJOBS, bad_spec(desk.job))
    desk.cluster.refuse = lambda verb, _kind, _name: ClusterRefused("422") if verb == "patch" else None
    assert desk.look() is None


@pytest.mark.parametrize("error", [KeyError("error"), RuntimeError("a fault"), ClusterUnavailable("away")])
def test_servers_do_not_wait_for_a_job_whose_look_always_fails(error: Exception) -> None:
    desk = JobDesk()
    desk.start()
    desk.demands.expect([KEY, ("team", "other")])
    desk.demands.set(("team", "other"), ServerDemand(SERVER, Fraction(1), 10))
    complete_before = desk.demands.complete

    def refuse(verb: str, kind: Kind, _name: str) -> Exception | None:
        return error if (verb, kind) == ("list", JOBS) else None

    desk.cluster.refuse = refuse
    with pytest.raises(type(error)):
        desk.look()
    assert (complete_before, desk.demands.complete) == (False, True)
    assert desk.changed == [SERVER], "it may be smaller now"


def test_a_look_that_fails_leaves_the_demand_as_it_was() -> None:
    desk = JobDesk()
    desk.let_work()
    before = desk.demands.of(SERVER)
    desk.cluster.refuse = lambda verb, _kind, _name: ClusterUnavailable("away") if verb == "list" else None
    with pytest.raises(ClusterUnavailable):
        desk.look()
    assert before == desk.demands.of(SERVER) != []


def test_a_table_that_holds_nonsense_is_told_and_stops_nothing() -> None:
    desk = JobDesk()
    desk.let_work()
    desk.use(desk.installation)
    words = SinkError("an item of team.x is not as this program writes it", uri="dynamodb:t", hint="Remove it.")
    desk.table.problem = lambda name: words if name == "plan_head" else None
    assert desk.look() == 5.0
    assert desk.condition("Succeeded")[0] == "Unknown"
    assert "an item of team.x is not as this program writes it (dynamodb:t). Remove it." in desk.status["message"]
    assert len(desk.demands.of(SERVER)) == 1


def test_a_server_that_somebody_took_away_is_told_of_at_each_look_though_the_demand_is_the_same() -> None:
    desk = JobDesk()
    desk.let_work()
    desk.look()
    desk.changed.clear()
    desk.look()
    assert desk.changed == []
    desk.forget_server()
    desk.clock.seconds += 2
    desk.look()
    assert set(desk.changed) == {SERVER}


def test_a_job_that_was_listed_is_not_read_again_and_its_configuration_not_made_again() -> None:
    desk = JobDesk()
    desk.let_work()
    assert desk.cluster.count("get", JOBS) == 0
    assert desk.cluster.count("create", CONFIG_MAPS) == 1


def test_between_start_and_end_statuses_are_five_seconds_apart_and_come_when_it_is_time() -> None:
    desk = JobDesk()
    desk.start()
    desk.look()
    desk.plan()
    for desk.clock.seconds in (0.1, 4.5):
        again_s = desk.look()
        assert (desk.reason, desk.wrote) == ("Probing", [KEY])
        assert again_s is not None
        assert again_s <= 5.0
    desk.clock.seconds = 5.1
    desk.look()
    assert (desk.reason, desk.wrote) == ("ProvisioningCPU", [KEY, KEY])
    desk.serve()
    value = desk.job
    desk.cluster.put(VIDEOJOBS, value | {"spec": value["spec"] | {"model": {"name": "unknown"}}})
    desk.look()
    assert desk.reason == "ModelNotFound", "an end is reported at once"


def test_an_event_about_what_was_written_here_last_is_known_and_one_about_the_end_is_not() -> None:
    desk = JobDesk()
    desk.start()
    assert not desk.reconciler.is_own(desk.job)
    desk.look()
    assert desk.reconciler.is_own(desk.job)
    value = desk.job
    desk.cluster.put(VIDEOJOBS, value | {"spec": value["spec"] | {"model": {"name": "unknown"}}})
    assert not desk.reconciler.is_own(desk.job)
    desk.look()
    assert desk.reason == "ModelNotFound"
    assert not desk.reconciler.is_own(desk.job)


def test_events_of_a_job_without_pods_are_read_and_told() -> None:
    desk = JobDesk()
    desk.start()
    desk.look()
    (job,) = desk.jobs
    desk.clock.seconds += 10
    desk.look()
    assert desk.cluster.count("list", EVENTS) == 0, "it was not begun yet"
    desk.cluster.put(JOBS, job | {"status": {"startTime": timestamp(desk.clock.now_s())}})
    event = {
        "metadata": {"name": "e", "namespace": "team"},
        "involvedObject": {"uid": job["metadata"]["uid"]},
        "reason": "FailedCreate",
        "message": "Error creating: no PriorityClass with name urgent was found",
        "lastTimestamp": timestamp(desk.clock.now_s()),
    }
    desk.cluster.put(EVENTS, event)
    desk.cluster.put(EVENTS, event | {"metadata": {"name": "other", "namespace": "team"}, "reason": "SuccessfulCreate"})
    desk.look()
    assert desk.reason == "CreationRefused"
    assert "no PriorityClass with name urgent was found. Create that PriorityClass" in desk.status["message"]


@pytest.mark.parametrize(
    "target",
    [{"tableName": "theirs"}, {"tableName": "videojob-results", "region": "us-east-1"}],
    ids=["table", "region"],
)
def test_a_table_that_is_not_allowed_is_not_even_connected_to(target: dict[str, str]) -> None:
    desk = JobDesk()
    desk.start({"results": {"dynamodb": target}})
    desk.look()
    assert desk.condition("Succeeded") == ("False", "TableNotAllowed")
    assert desk.connected == []


@pytest.mark.parametrize(
    ("ends", "phase", "finalizers", "removed"),
    [
        (True, "Failed", ["batch.kubernetes.io/job-tracking"], True),
        (False, "Failed", ["batch.kubernetes.io/job-tracking"], False),
        (True, "Running", ["batch.kubernetes.io/job-tracking"], False),
        (True, "Failed", [], False),
    ],
    ids=["waits for ever", "only the pod goes", "ends first", "goes by itself"],
)
def test_a_namespace_that_is_deleted_never_waits_for_a_jobs_last_pod(
    ends: bool, phase: str, finalizers: list[str], removed: bool
) -> None:
    desk = JobDesk()
    work = desk.let_work()
    desk.cluster.put(JOBS, work | {"status": {"startTime": timestamp(desk.clock.now_s())}})
    gone = {"deletionTimestamp": timestamp(desk.clock.now_s())}
    labels = work["spec"]["template"]["metadata"]["labels"]
    labels |= {"batch.kubernetes.io/job-name": work["metadata"]["name"]}
    metadata = {"name": "entrance-0", "namespace": KEY[0], "labels": labels, "finalizers": finalizers} | gone
    desk.cluster.put(PODS, {"metadata": metadata, "status": {"phase": phase}})
    desk.cluster.put(NAMESPACES, {"metadata": {"name": KEY[0]} | (gone if ends else {})})
    desk.clock.seconds += 10
    desk.look()
    assert (work["metadata"]["name"] not in desk.cluster.names(JOBS)) == removed
    assert bool(desk.demands.of(SERVER)) != removed


def test_segments_with_two_results_are_shown_and_each_is_counted_once() -> None:
    desk = JobDesk()
    desk.let_work()
    desk.table.refused = {4: SegmentConflict(4, "one", "other")}
    desk.clock.seconds += 60.0
    desk.look()
    assert (desk.status["conflictingSegments"], desk.conflicted) == (1, [1])
    desk.use(INSTALLATION)  # another controller counts on
    desk.table.refused[7] = SegmentConflict(7, "one", "other")
    desk.clock.seconds += 60.0
    desk.look()
    desk.look()
    assert (desk.status["conflictingSegments"], desk.conflicted) == (2, [1, 1])


def to_fold(desk: JobDesk) -> None:
    """All segments are committed, and the fold was asked for."""
    desk.let_work()
    desk.table.committed_segments = set(range(a_head().segments))
    desk.clock.seconds += 60
    desk.look()
    assert list(desk.folds.asked) == [KEY]
    assert desk.reason == "Aggregating"


def test_a_look_does_not_wait_for_the_fold_and_those_after_it_ask_nothing_of_the_table() -> None:
    desk = JobDesk()
    to_fold(desk)
    assert desk.demands.of(SERVER) == [], "no server is paid for it"
    reads = desk.table.reads
    for _ in range(3):
        desk.clock.seconds += 60
        assert desk.look() is not None
    assert desk.table.reads == reads
    request = desk.folds.asked[KEY]
    assert (request.run.epoch, request.run.segments) == (1, a_head().segments)
    assert request.served is not None
    assert request.served.digest == desk.installation.models[SERVER.model].digest
    learned = {Subject(Quantity.DECODE, "h264", 174_080, "c7i"): ("", (900.0,))}
    desk.folds.end(KEY, Folded(FinalOutcome("PartiallyCompleted", "a gap", 77), learned))
    desk.look()
    assert desk.learned == [learned]
    assert desk.condition("Succeeded") == ("True", "PartiallyCompleted")
    assert "a gap" in desk.status["message"]


def test_a_fold_that_finds_open_segments_gives_the_job_back_to_its_workers() -> None:
    desk = JobDesk()
    to_fold(desk)
    desk.folds.end(KEY, Folded(None))
    desk.clock.seconds += 60
    desk.look()
    assert desk.reason == "Processing"


@pytest.mark.parametrize("error", [JobTooLarge("too many appearances"), FoldFailed("its process was killed")])
def test_a_fold_that_cannot_succeed_ends_the_job_with_its_reason(error: VideoJobError) -> None:
    desk = JobDesk()
    to_fold(desk)
    desk.folds.end(KEY, error)
    desk.look()
    assert desk.condition("Succeeded") == ("False", error.reason)
    assert error.message in desk.status["message"]
    desk.look()
    assert desk.folds.asked == {}


def test_a_fold_whose_table_was_away_is_tried_again() -> None:
    desk = JobDesk()
    to_fold(desk)
    desk.folds.end(KEY, SinkUnavailable("no answer"))
    desk.look()
    assert desk.condition("Succeeded") == ("Unknown", "Aggregating")
    desk.clock.seconds += 60
    desk.look()
    assert list(desk.folds.asked) == [KEY]


def test_the_fold_of_a_job_that_is_gone_is_forgotten() -> None:
    desk = JobDesk()
    to_fold(desk)
    del desk.cluster.stored[VIDEOJOBS.plural, *KEY]
    desk.look()
    assert desk.folds.asked == {}
