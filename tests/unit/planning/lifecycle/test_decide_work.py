"""What is decided about a VideoJob at work: its server and its workers."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import (
    ERROR,
    NOW_S,
    READY,
    a_catalogue,
    a_head,
    a_job,
    a_status,
    a_work_job,
    condition,
    decide,
    look,
    problem,
    results,
    running,
)
from videojob.planning.diagnosis.rejected import what_to_allow
from videojob.planning.state.observed import NODE_PROVISIONING, ServerObserved
from videojob.planning.state.pods import JobObserved

SLOW = {"reason": "InferenceTimeout", "message": "no answer"}

# The server.


def test_workers_are_made_held_until_the_server_answers() -> None:
    desired = look(running())
    assert desired.work_job is not None
    assert desired.demand is not None
    assert (desired.work_job.suspended, desired.work_job.attempt, desired.work_job.epoch) == (True, 1, 1)
    assert (desired.reason, desired.demand.busy) == ("ProvisioningCPU", True)
    assert (desired.work_job.completions, desired.work_job.batch) == (2, 8)


@pytest.mark.parametrize(
    ("accelerator", "server", "reason", "capacity"),
    [
        ("cpu", None, "ProvisioningCPU", ("False", "ProvisioningCPU")),
        ("gpu", None, "ProvisioningGPU", ("False", "ProvisioningGPU")),
        ("gpu", ServerObserved(0, 0), "ProvisioningGPU", ("False", "ProvisioningGPU")),
        ("gpu", ServerObserved(1, 0), "ProvisioningGPU", ("False", "ProvisioningGPU")),
        ("gpu", ServerObserved(1, 0, problem("unschedulable")), "ProvisioningGPU", ("False", "ProvisioningGPU")),
        (
            "gpu",
            ServerObserved(1, 0, problem("unschedulable", source="karpenter")),
            "ProvisioningGPU",
            ("False", "InsufficientCapacity"),
        ),
        (
            "cpu",
            ServerObserved(1, 0, problem("unschedulable", age_s=600)),
            "ProvisioningCPU",
            ("False", "InsufficientCapacity"),
        ),
        (
            "gpu",
            ServerObserved(1, 0, problem("unschedulable", age_s=599)),
            "ProvisioningGPU",
            ("False", "ProvisioningGPU"),
        ),
        (
            "gpu",
            ServerObserved(1, 0, problem("unschedulable", age_s=9999, source=NODE_PROVISIONING)),
            "ProvisioningGPU",
            ("False", "ProvisioningGPU"),
        ),
        ("gpu", ServerObserved(1, 0, problem("image")), "ImagePullFailed", ("True", "Processing")),
        ("gpu", ServerObserved(1, 0, problem("starting")), "LoadingModel", ("True", "Processing")),
        ("gpu", ServerObserved(1, 0, problem("crashed", restarts=2)), "LoadingModel", ("True", "Processing")),
        ("gpu", READY, "Processing", ("True", "Processing")),
    ],
)
def test_each_wait_for_the_server_has_its_reason(
    accelerator: str, server: ServerObserved | None, reason: str, capacity: tuple[str, str]
) -> None:
    held = a_work_job(suspended=True, active=0, ready=0)
    desired = look(running(held, server=server), {"compute": {"accelerator": accelerator}})
    assert (desired.reason, condition(desired, "CapacityReady")) == (reason, capacity)
    assert condition(desired, "ServerReady")[0] == ("True" if server is READY else "False")
    assert desired.work_job is not None
    assert desired.demand is not None
    assert desired.work_job.suspended == (server is not READY)


def test_what_to_change_stands_beside_karpenters_words() -> None:
    refused = ServerObserved(1, 0, problem("unschedulable", "no instance type met", source="karpenter"))
    compute = {"accelerator": "gpu", "instanceTypes": ["p9.xlarge"], "capacityTypes": ["spot"]}
    message = look(running(server=refused), {"compute": compute}).message
    assert "karpenter: no instance type met" in message
    assert all(word in message for word in ("spec.compute.instanceTypes", "spec.compute.capacityTypes", "NodePools"))


def test_without_karpenter_nodes_are_the_administrators_to_add() -> None:
    refused = ServerObserved(1, 0, problem("unschedulable", "0/1 nodes", source="scheduler", age_s=300))
    desired = decide(a_job(), running(server=refused), a_catalogue(karpenter="none"), NOW_S)
    assert "Add nodes of that kind" in desired.message


@pytest.mark.parametrize(
    ("restarts", "committed", "was_ready", "failed"),
    [
        (2, 0, "Unknown", False),
        (3, 0, "Unknown", True),
        (3, 0, "True", False),
        (3, 1, "False", False),
        (10, 1, "True", True),
    ],
)
def test_a_server_that_never_comes_up_fails_the_job_with_its_own_words(
    restarts: int, committed: int, was_ready: str, failed: bool
) -> None:
    broken = ServerObserved(1, 0, problem("crashed", "failed to load 'x'", restarts=restarts, exit_code=1))
    status = a_status(ServerReady=was_ready)
    desired = look(running(server=broken, results=results(committed)), status=status)
    assert desired.ended == failed
    assert (desired.reason == "ModelLoadFailed") == failed
    assert "failed to load 'x'" in desired.message
    assert (desired.demand is None) == failed


@pytest.mark.parametrize(("restarts", "failed"), [(3, False), (9, False), (10, True)])
def test_a_server_that_says_a_retry_may_help_gets_more_of_them(restarts: int, failed: bool) -> None:
    waits = problem("crashed", "the bucket does not answer", restarts=restarts, retryable=True, source="sync-model")
    assert look(running(server=ServerObserved(1, 0, waits))).ended is failed


def test_a_server_that_lacks_but_one_replica_is_not_broken() -> None:
    server = ServerObserved(2, 1, problem("crashed", restarts=99))
    assert look(running(a_work_job(), server=server)).reason == "Processing"


@pytest.mark.parametrize(
    ("ready_was", "away_s", "held"),
    [("True", 0, False), ("False", 29, False), ("False", 30, True), ("Unknown", 99, False)],
)
def test_workers_are_held_again_when_the_server_stays_away(ready_was: str, away_s: float, held: bool) -> None:
    away = ServerObserved(1, 0, problem("starting"))
    status = a_status(since_s=away_s, ServerReady=ready_was)
    desired = look(running(a_work_job(), server=away), status=status)
    assert desired.work_job is not None
    assert desired.demand is not None
    assert desired.work_job.suspended is held
    assert condition(desired, "ServerReady")[0] == "False"
    assert desired.reason == ("LoadingModel" if held else "Processing")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unschedulable", "ProvisioningCPU"),
        ("image", "ImagePullFailed"),
        ("crashed", "Processing"),
        ("refused", "CreationRefused"),
    ],
)
def test_workers_that_do_not_run_are_named_too(kind: str, reason: str) -> None:
    stuck = a_work_job(ready=0, problem=problem(kind, "their words"))
    desired = look(running(stuck, server=READY))
    assert (desired.reason, "their words" in desired.message) == (reason, True)


def test_one_worker_that_runs_is_enough_to_be_at_work() -> None:
    desired = look(running(a_work_job(ready=1, problem=problem("unschedulable")), server=READY))
    assert desired.reason == "Processing"


# The work.


@pytest.mark.parametrize(
    ("committed", "job", "finalise"),
    [
        (9, a_work_job(), False),
        (10, a_work_job(), True),
        (10, None, True),
        (3, a_work_job(finished="Complete"), True),
        (3, a_work_job(finished="Failed"), True),
        (3, a_work_job(finished="Complete", epoch=7), False),
        (3, None, False),
    ],
)
def test_folding_is_tried_when_all_may_be_settled(committed: int, job: JobObserved | None, finalise: bool) -> None:
    jobs = () if job is None else (job,)
    desired = look(running(*jobs, results=results(committed), server=READY))
    assert desired.finalise is finalise
    assert (desired.reason == "Aggregating") is finalise


def test_open_segments_are_run_again_by_another_job() -> None:
    ended = a_work_job(finished="Complete")
    desired = look(running(ended, results=results(9, open=True), server=READY))
    assert desired.work_job is not None
    assert (desired.work_job.attempt, desired.work_job.suspended) == (2, False)
    assert [one.reason for one in desired.events if one.type == "Warning"] == ["SegmentRetried"]


def test_but_not_for_ever() -> None:
    ended = a_work_job(3, finished="Complete")
    desired = look(running(ended, results=results(9, open=True), server=READY))
    assert (desired.reason, desired.work_job) == ("ResultsIncomplete", None)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"reason": "PodFailurePolicy", "error": ERROR}, "InputNotFound", "Check the key."),
        (
            {"reason": "MaxFailedIndexesExceeded", "error": SLOW},
            "BackoffLimitExceeded",
            "last with InferenceTimeout",
        ),
        (
            {"reason": "MaxFailedIndexesExceeded", "error": ERROR, "attempt": 3},
            "BackoffLimitExceeded",
            "last with InputNotFound",
        ),
        (
            {"reason": "FailedIndexes", "message": "1 index", "problem": problem("crashed", "OOMKilled")},
            "BackoffLimitExceeded",
            "1 index; OOMKilled",
        ),
        ({"reason": "PodFailurePolicy", "message": "exit 64"}, "BackoffLimitExceeded", "exit 64"),
        ({"reason": "DeadlineExceeded", "message": "too long"}, "DeadlineExceeded", "too long"),
    ],
)
def test_a_job_that_gave_up_ends_with_the_last_error(changes: dict[str, Any], reason: str, words: str) -> None:
    failed = a_work_job(finished="Failed", **changes)
    desired = look(running(failed, results=results(3, open=True), server=READY))
    assert (desired.reason, desired.ended) == (reason, True)
    assert words in desired.message


@pytest.mark.parametrize("reason", ["InputUnavailable", "DecoderCrashed", "InternalError", "WorkerLost"])
@pytest.mark.parametrize("ended", ["MaxFailedIndexesExceeded", "FailedIndexes"])
def test_an_older_releases_job_that_gave_up_over_one_video_is_followed_by_another(reason: str, ended: str) -> None:
    failed = a_work_job(finished="Failed", reason=ended, error=ERROR | {"reason": reason})
    desired = look(running(failed, results=results(3, open=True), server=READY))
    assert desired.work_job is not None
    assert (desired.ended, desired.reason, desired.work_job.attempt) == (False, "Processing", 2)
    assert desired.demand is not None


def test_jobs_of_an_older_epoch_go_before_another_one_works() -> None:
    stale = a_work_job(epoch=1)
    desired = look(running(stale, results=results(epoch=2), server=READY))
    assert (desired.remove_jobs, desired.work_job) == ((stale.name,), None)
    gone = look(running(a_work_job(epoch=1, deleting=True), results=results(epoch=2), server=READY))
    assert (gone.remove_jobs, gone.work_job) == ((), None)


def test_a_deleted_job_is_made_again_when_it_is_gone() -> None:
    going = look(running(a_work_job(deleting=True), server=READY))
    assert (going.work_job, going.requeue_s is not None) == (None, True)
    gone = look(running(server=READY))
    assert gone.work_job is not None
    assert gone.work_job.attempt == 1


def test_a_running_job_keeps_its_batch_and_never_loses_workers() -> None:
    head = a_head(segments=4000, frames=1_200_000)
    desired = look(running(a_work_job(batch=7, parallelism=150), server=READY, head=head))
    assert desired.work_job is not None
    assert (desired.work_job.batch, desired.work_job.completions) == (7, 572)
    assert desired.work_job.parallelism == 150


@pytest.mark.parametrize(("segments", "poll_s"), [(10, 5.0), (100_000, 300.0)])
def test_a_large_job_is_looked_at_less_often(segments: int, poll_s: float) -> None:
    desired = look(running(a_work_job(), server=READY, head=a_head(segments=segments)))
    assert desired.requeue_s == poll_s


def test_pods_that_were_taken_away_are_news() -> None:
    told = [one.message for one in look(running(a_work_job(disrupted=2), server=READY)).events]
    assert "2 pods of entrance-work-1 were disrupted; their segments will be retried" in told


def test_pods_that_failed_are_news() -> None:
    failed = a_work_job(failed=2, error=ERROR)
    desired = look(running(failed, server=READY))
    told = [one.message for one in desired.events if one.reason == "SegmentRetried"]
    assert told == ["2 pods of entrance-work-1 failed, the last with InputNotFound"]
    silent = look(running(a_work_job(failed=1), server=READY))
    assert "1 pod of entrance-work-1 failed" in [one.message for one in silent.events]


@pytest.mark.parametrize(("within", "at_risk"), [("2m", False), ("1m", True)])
def test_a_deadline_that_will_be_missed_is_news_and_no_end(within: str, at_risk: bool) -> None:
    spec = {"deadline": {"completeWithin": within}}
    slow = a_work_job(started_s=NOW_S - 40)  # 1,200 of 3,000 frames in 40 s: 60 s are left
    desired = look(running(slow, server=READY, results=results(4)), spec, status=a_status(began_s=40))
    assert ("DeadlineAtRisk" in [one.reason for one in desired.events]) is at_risk
    assert not desired.ended


ACCOUNT = 'pods "a-" is forbidden: error looking up service account team/videojob-worker: not found'


@pytest.mark.parametrize("server", [READY, ServerObserved(0, 0), None])
@pytest.mark.parametrize("labels", [{}, {"kueue.x-k8s.io/queue-name": "gpus"}])
def test_workers_that_kubernetes_may_not_make_wait_with_its_words_and_no_server_is_paid(
    server: ServerObserved | None, labels: dict[str, str]
) -> None:
    workers = a_work_job(active=0, ready=0, problem=problem("refused", ACCOUNT, age_s=600))
    status = a_status("CreationRefused", since_s=600, ServerReady="False")
    desired = look(running(workers, server=server), status=status, labels=labels)
    assert (desired.reason, condition(desired, "CapacityReady")) == ("CreationRefused", ("False", "CreationRefused"))
    assert "service account team/videojob-worker: not found. Add the namespace to" in desired.message
    assert desired.demand is None
    assert desired.work_job is not None
    assert desired.work_job.suspended is not True, "held, nobody would try to make them any more"
    assert desired.requeue_s is not None


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_server_that_kubernetes_may_not_make_is_told_in_its_words(replicas: int) -> None:
    words = 'pods "t" is forbidden: exceeded quota: gpus'
    desired = look(running(a_work_job(suspended=True), server=ServerObserved(replicas, 0, problem("refused", words))))
    assert (desired.reason, condition(desired, "ServerReady")) == ("CreationRefused", ("False", "CreationRefused"))
    assert desired.message == f"Kubernetes rejects the inference server: {words}. {what_to_allow(words)}"
    assert desired.demand is not None


@pytest.mark.parametrize(
    ("committed", "indexes", "batch", "done"),
    [(0, "", 2, 0), (1, "0-1", 2, 4), (7, "0-1", 2, 7), (0, "0-2,4", 2, 8), (0, "0-9", 2, 10), (3, "?", 2, 3)],
)
def test_progress_follows_finished_indexes_where_commits_were_not_read_lately(
    committed: int, indexes: str, batch: int, done: int
) -> None:
    workers = a_work_job(completed_indexes=indexes, batch=batch)
    desired = look(running(workers, server=READY, results=results(committed)))
    assert desired.progress is not None
    assert (desired.progress.segments_done, desired.progress.frames_done) == (done, 300 * done)
    assert not desired.finalise, "what the table says counts"
