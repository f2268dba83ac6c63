"""One index of a Job with fakes at its ports: what is run, what is stored, and how the pod ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.fakes import FakeClock
from support.job_stores import FakeJobStore
from support.plans import planned_job
from support.results import segment_commit, segment_result
from support.segments import model_contract, run_record
from support.worker_pods import Copies, Pod
from videojob.errors import (
    Cancelled,
    DecoderCrashed,
    DecodeTimeout,
    InferenceTimeout,
    InputChanged,
    InputCorrupt,
    InputUnavailable,
    InvalidModelOutput,
    ManifestError,
    ModelNotFound,
    ModelSignatureMismatch,
    ServerUnavailable,
    SetupError,
    SinkError,
    SinkUnavailable,
    StaleEpoch,
    UsageError,
    VideoJobError,
    WorkerLost,
)
from videojob.planning.state.ending import Ending
from videojob.results.aggregate.segment_results import SegmentCommit
from videojob.video.plan import ModelFacts, SegmentFailure
from videojob.worker.pods.batch import BatchOutcome, ending_of

FACTS = ModelFacts("face_detector", "", ("face",), "model")


def committed(segment: int) -> SegmentCommit:
    videos = planned_job(cuts=[2, 1, 0])
    found = next(one for video in videos for one in video.segments if one.index == segment)
    return segment_commit(segment_result(found))


def test_every_segment_is_committed_and_one_video_is_here_at_a_time() -> None:
    pod = Pod()
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=6)
    assert set(pod.store.stored) == set(range(6))
    assert (pod.files.most, pod.files.here) == (1, set())
    assert pod.store.facts == FACTS


def test_settled_segments_are_left_alone() -> None:
    store = FakeJobStore()
    store.stored = {0: committed(0), 5: committed(5)}
    store.failed = {3: SegmentFailure(3, 1, {})}
    pod = Pod(store=store)
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=2, skipped=4)
    assert pod.decoder.asked == [1, 2]


def test_a_batch_with_nothing_to_do_meets_no_server() -> None:
    store = FakeJobStore(failed={0: SegmentFailure(0, 0, {}), 3: SegmentFailure(3, 1, {}), 5: SegmentFailure(5, 2, {})})
    pod = Pod(store=store)
    assert pod.work() == BatchOutcome(Ending.SETTLED, skipped=6)
    assert pod.connected == 0


def test_an_index_without_segments_is_settled() -> None:
    pod = Pod()
    pod.store.videos = []
    assert pod.work() == BatchOutcome(Ending.SETTLED)


def test_a_fault_of_a_video_is_stored_and_the_others_go_on() -> None:
    pod = Pod({1: [InputCorrupt("damaged", time_ms=40)]})
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=4, failed=1)
    (failure,) = pod.store.failures(run_record())
    assert (failure.segment, failure.video, failure.error["reason"]) == (1, 0, "InputCorrupt")
    assert (failure.error["uri"], failure.error["segment"]) == ("s3://videos/00000.mp4", 1)
    assert pod.decoder.asked == [0, 1, 3, 4, 5]


def test_a_late_verdict_leaves_a_video_alone_that_another_worker_has_done() -> None:
    pod = Pod()

    def twin(_request: int) -> None:
        pod.store.stored[1] = committed(1)

    pod.script[1] = [InputCorrupt("this machine's memory is bad")]
    pod.decoder.before[1] = twin
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=5, skipped=1)
    assert pod.store.failed == {}
    assert pod.decoder.asked == [0, 1, 2, 3, 4, 5], "the video's other segments are still done"


def test_a_second_different_result_is_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    pod = Pod()
    pod.decoder.before[1] = lambda _: pod.store.stored.update({1: replace(committed(1), digest="another")})
    with caplog.at_level("INFO"):
        assert pod.work() == BatchOutcome(Ending.SETTLED, committed=5, conflicting=1)
    assert [one.segment for one in pod.store.conflicts(run_record())] == [1]
    told = [record.message for record in caplog.records if getattr(record, "segment", None) == 1]
    assert told == ["segment started", "another result of the segment is stored and kept"]


def test_a_commit_overrides_the_failure_of_its_segment() -> None:
    store = FakeJobStore(failed={1: SegmentFailure(1, 0, {}), 4: SegmentFailure(4, 1, {})})
    store.stored = {1: committed(1)}
    pod = Pod(store=store)
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=4, skipped=2)
    assert pod.decoder.asked == [0, 2, 3, 5]


def test_a_video_that_changed_is_a_fault_of_that_video() -> None:
    pod = Pod(files=Copies(missing={1: InputChanged("has changed")}))
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=4, failed=1)
    assert pod.store.failed[3].error["reason"] == "InputChanged"


def test_a_passing_error_is_tried_again_here() -> None:
    pod = Pod({2: [InferenceTimeout("slow")], 4: [DecoderCrashed("once")]})
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=6)
    assert pod.decoder.asked == [0, 1, 2, 2, 3, 4, 4, 5]


@pytest.mark.parametrize(
    ("error", "first", "last"),
    [
        (InferenceTimeout("slow"), Ending.FAILED, Ending.EXHAUSTED),
        (ServerUnavailable("away"), Ending.STOPPED, Ending.STOPPED),
    ],
)
def test_a_passing_error_that_stays_is_not_the_videos_fault(error: VideoJobError, first: Ending, last: Ending) -> None:
    for failures, ending in enumerate((first, last)):
        pod = Pod({2: [error, error]}, failures=failures)
        outcome = pod.work()
        assert (outcome.ending, outcome.error, outcome.committed) == (ending, error, 2)
        assert pod.store.failed == {}
        assert pod.files.here == set()


# What another pod is to try.


def test_a_video_that_is_away_comes_last_and_is_left_for_another_pod() -> None:
    away = InputUnavailable("S3 is away")
    pod = Pod({1: [away, away]}, limit=3)
    assert pod.work() == BatchOutcome(Ending.FAILED, away, committed=4, left=1)
    assert pod.decoder.asked == [0, 1, 3, 4, 5, 1], "each of its segments would ask in vain for minutes"
    assert (pod.store.failed, pod.files.here) == ({}, set())


def test_a_video_that_comes_back_meanwhile_is_done() -> None:
    pod = Pod({1: [InputUnavailable("S3 is away")]}, limit=3)
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=6)
    assert pod.decoder.asked == [0, 1, 3, 4, 5, 1, 2]


def test_the_last_pod_gives_up_the_video_alone_and_says_how_long_it_was_tried() -> None:
    store, clock, ends = FakeJobStore(), FakeClock(), []
    for failures in range(4):
        away: list[Exception] = [InputUnavailable("S3 is away") for _ in range(2)]
        pod = Pod({1: away}, failures=failures, limit=3, store=store, clock=clock, name=f"pod-{failures}")
        ends.append(pod.work().ending)
        clock.seconds += 130
    assert ends == [Ending.FAILED] * 3 + [Ending.SETTLED]
    assert set(store.stored) == {0, 3, 4, 5}
    (failure,) = store.failures(run_record())
    assert (failure.segment, failure.video, failure.error["reason"]) == (1, 0, "InputUnavailable")
    assert failure.error["message"] == "S3 is away; 4 pods tried it, for 6 min"


@pytest.mark.parametrize("kind", [DecodeTimeout, DecoderCrashed])
def test_a_decoders_death_counts_when_a_second_pod_meets_it_too(kind: type[VideoJobError]) -> None:
    store = FakeJobStore()
    first = Pod({1: [kind("one"), kind("two")]}, limit=3, store=store)
    outcome = first.work()
    assert (outcome.ending, outcome.committed, outcome.left) == (Ending.FAILED, 5, 1)
    assert (first.decoder.asked, store.failed) == ([0, 1, 1, 2, 3, 4, 5], {})
    second = Pod({1: [kind("one"), kind("two")]}, failures=1, limit=3, store=store, name="pod-2")
    assert second.work() == BatchOutcome(Ending.SETTLED, failed=1, skipped=5)
    assert store.failed[1].error["reason"] == kind.reason


def test_a_decoder_that_lives_in_the_second_pod_was_no_fault_of_the_video() -> None:
    store = FakeJobStore()
    Pod({1: [DecoderCrashed("one"), DecoderCrashed("two")]}, limit=3, store=store).work()
    second = Pod(failures=1, limit=3, store=store, name="pod-2")
    assert second.work() == BatchOutcome(Ending.SETTLED, committed=1, skipped=5)
    assert set(store.stored) == set(range(6))


def test_another_error_of_another_pod_confirms_nothing() -> None:
    store = FakeJobStore()
    Pod({1: [DecoderCrashed("one"), DecoderCrashed("two")]}, limit=3, store=store).work()
    second = Pod({1: [DecodeTimeout("one"), DecodeTimeout("two")]}, failures=1, limit=3, store=store, name="pod-2")
    assert (second.work().ending, store.failed) == (Ending.FAILED, {})


@pytest.mark.parametrize("error", [InputUnavailable("away"), DecoderCrashed("dead"), ZeroDivisionError("by zero")])
def test_where_no_other_pod_may_come_the_first_word_counts(error: Exception) -> None:
    pod = Pod({1: [error]}, limit=0)
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=4, failed=1)


def test_a_full_disk_is_the_nodes_and_never_the_videos_fault() -> None:
    full = SetupError("the disk is full", retryable=True)
    pod = Pod({1: [full, full]})
    assert pod.work() == BatchOutcome(Ending.FAILED, full, committed=5, left=1)
    last = Pod({1: [full, full]}, failures=1)
    assert (last.work().ending, last.store.failed) == (Ending.EXHAUSTED, {})


def test_a_stop_signal_is_not_counted_though_a_segment_was_left() -> None:
    pod = Pod({0: [DecoderCrashed("one"), DecoderCrashed("two")]})
    pod.stopping = lambda: len(pod.decoder.asked) >= 3
    assert pod.work().ending is Ending.STOPPED


@pytest.mark.parametrize(
    "error", [InvalidModelOutput("NaN"), ModelSignatureMismatch("shape"), StaleEpoch("newer"), ManifestError("class")]
)
def test_what_no_retry_cures_for_any_video_ends_the_job(error: VideoJobError) -> None:
    pod = Pod({1: [error]})
    assert pod.work() == BatchOutcome(Ending.HOPELESS, error, committed=1)
    assert pod.store.failed == {}


def test_a_fault_of_the_program_concerns_its_video_alone_and_has_its_name() -> None:
    store = FakeJobStore()
    outcome = Pod({0: [ZeroDivisionError("by zero")]}, store=store).work()
    assert (outcome.ending, outcome.committed, outcome.left) == (Ending.FAILED, 5, 1)
    assert outcome.error is not None
    assert (outcome.error.reason, outcome.error.segment) == ("ProcessingFault", 0)
    assert "ZeroDivisionError: by zero" in str(outcome.error)
    last = Pod({0: [ZeroDivisionError("by zero")]}, failures=1, store=store, name="pod-2").work()
    assert (last.ending, store.failed[0].error["reason"]) == (Ending.SETTLED, "ProcessingFault")


def test_no_segment_is_begun_after_the_stop_signal() -> None:
    pod = Pod()
    pod.stopping = lambda: len(pod.decoder.asked) >= 2
    outcome = pod.work()
    assert (outcome.ending, outcome.committed) == (Ending.STOPPED, 2)
    assert isinstance(outcome.error, Cancelled)


def test_a_stop_signal_behind_the_last_segment_changes_nothing() -> None:
    pod = Pod()
    pod.stopping = lambda: len(pod.decoder.asked) >= 6
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=6)


def test_a_dropped_segment_is_left_for_the_next_pod() -> None:
    outcome = Pod({3: [Cancelled("asked to stop")]}).work()
    assert (outcome.ending, outcome.committed) == (Ending.STOPPED, 3)


def test_a_failure_that_another_worker_stored_meanwhile_is_heeded() -> None:
    pod = Pod()

    def meanwhile(name: str) -> VideoJobError | None:
        if name == "commit":
            pod.store.failed.setdefault(1, SegmentFailure(1, 0, {}))
        return None

    pod.store.problem = meanwhile
    assert pod.work() == BatchOutcome(Ending.SETTLED, committed=4)
    assert pod.decoder.asked == [0, 3, 4, 5]


def test_a_store_that_is_away_ends_the_pod_at_once() -> None:
    pod = Pod()
    pod.store.problem = lambda name: SinkUnavailable("away") if name == "commit" else None
    with pytest.raises(SinkUnavailable):
        pod.work()
    assert pod.decoder.asked == [0], "to run a segment again would only cost more of what the store refuses"


def test_another_model_than_the_run_began_with_stores_nothing() -> None:
    pod = Pod(store=FakeJobStore(facts=replace(FACTS, digest="of yesterday")))
    with pytest.raises(ModelNotFound, match="another model"):
        pod.work()
    assert pod.store.stored == {}


def test_a_server_that_cannot_be_reached_is_told_by_the_pods_ending() -> None:
    pod = Pod(tools_error=ServerUnavailable("away"))
    with pytest.raises(ServerUnavailable):
        pod.work()


@pytest.mark.parametrize(
    ("error", "untried", "tried"),
    [
        (Cancelled("signal"), 75, 75),
        (ServerUnavailable("away"), 75, 75),
        (ModelNotFound("not loaded yet"), 1, 1),
        (SinkUnavailable("away"), 1, 65),
        (InputUnavailable("away"), 1, 65),
        (InputCorrupt("damaged"), 1, 65),
        (WorkerLost("gone"), 1, 65),
        (VideoJobError("unexpected error"), 1, 65),
        (SetupError("credentials expired", retryable=True), 1, 65),
        (SetupError("no credentials"), 64, 64),
        (StaleEpoch("newer"), 64, 64),
        (SinkError("no table"), 64, 64),
        (ManifestError("no such class"), 64, 64),
        (ModelSignatureMismatch("shape"), 64, 64),
        (UsageError("no plan"), 64, 64),
    ],
)
def test_each_error_tells_kubernetes_what_to_do(error: VideoJobError, untried: int, tried: int) -> None:
    assert (ending_of(error), ending_of(error, tried=True)) == (untried, tried)


def test_the_model_is_described_as_the_server_describes_it() -> None:
    contract = model_contract()
    assert (contract.name, contract.version, contract.labels, contract.digest) == (
        FACTS.name,
        FACTS.version,
        FACTS.labels,
        FACTS.digest,
    )
