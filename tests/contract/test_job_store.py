"""What planner, workers and controller of one job share through the table, on a real server that also misbehaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

from support.dynamodb import Fault, FaultyDynamoDb, count_reads, settings_for
from support.plans import bad_video, good_video, plan_head, planned_job
from support.results import planned, run_record, segment_commit, segment_result
from videojob.adapters.aws.dynamodb.attributes import to_attributes
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings, make_client
from videojob.errors import DecoderCrashed, InputCorrupt, InputUnavailable, SinkError, StaleEpoch
from videojob.ports.results import CommitOutcome, FailOutcome
from videojob.results.aggregate.columns import PresenceColumns
from videojob.results.aggregate.document import presence_columns, presence_table
from videojob.results.aggregate.segment_results import Presence, RunRecord
from videojob.results.stored.codec import canonical
from videojob.results.stored.plan_items import failure_item
from videojob.results.stored.summary_codec import SCHEMA, facts_of
from videojob.video.plan import ModelFacts, PlanHead, PlannedVideo, SegmentDoubt, SegmentFailure

UID = "team.uid-1"
DAY_CUTS = 2879
"""Of a video of 24 hours in segments of 30 s."""


@pytest.fixture
def settings(proxy: FaultyDynamoDb) -> DynamoDbSettings:
    """A fresh table behind the proxy."""
    settings = settings_for(proxy.url)
    with closing(DynamoDbJobStore(settings)) as store:
        store.create_table()
    proxy.seen.clear()
    return settings


@pytest.fixture
def store(settings: DynamoDbSettings) -> Iterator[DynamoDbJobStore]:
    with closing(DynamoDbJobStore(settings)) as store:
        yield store


@pytest.fixture
def run(store: DynamoDbJobStore) -> RunRecord:
    return store.begin(run_record(UID))


def _saved(store: DynamoDbJobStore, videos: Sequence[PlannedVideo]) -> PlanHead:
    return store.save_plan(UID, plan_head(videos), videos)


def _holding(videos: Sequence[PlannedVideo], first: int, count: int) -> list[PlannedVideo]:
    wanted = range(first, first + count)
    return [video for video in videos if any(segment.index in wanted for segment in video.segments)]


def test_a_plan_comes_back_as_it_was_stored(store: DynamoDbJobStore) -> None:
    videos = planned_job(cuts=[0, 2, None, 1, None])
    head = _saved(store, videos)
    assert store.plan_head(UID, 1) == head == plan_head(videos)
    assert list(store.planned_videos(UID, head.plan_id)) == videos


def test_a_video_that_somebody_changed_is_named(settings: DynamoDbSettings, store: DynamoDbJobStore) -> None:
    videos = planned_job(cuts=[0, None])
    head = _saved(store, videos)
    for sort, which in (("SEG#000000000", "SEG"), ("BAD#000000001", "BAD")):
        make_client(settings).update_item(
            TableName=settings.table,
            Key={"PK": {"S": f"{UID}#plan#{head.plan_id}"}, "SK": {"S": sort}},
            UpdateExpression="SET address = :v",
            ExpressionAttributeValues={":v": {"S": "s3://elsewhere/other.mp4"}},
        )
        with pytest.raises(SinkError, match=f"{which}#.*does not match its digest"):
            list(store.planned_videos(UID, head.plan_id))
    with pytest.raises(SinkError, match="does not match its digest"):
        list(store.videos_of_segments(UID, head, 0, 1))


def test_a_plan_that_nothing_can_be_run_of_says_why(store: DynamoDbJobStore) -> None:
    videos = [bad_video(0)]
    error = InputCorrupt("no index", uri="s3://b/k", time_ms=7).as_dict()
    head = replace(plan_head(videos), plan_digest="", error=error)
    store.save_plan(UID, head, videos)
    assert store.plan_head(UID, 1) == head


def test_an_attempt_without_a_plan_has_no_head(store: DynamoDbJobStore) -> None:
    _saved(store, planned_job(cuts=[1]))
    assert store.plan_head(UID, 2) is None
    assert store.plan_head("team.another", 1) is None


def test_of_racing_planners_one_plan_stands_whole(settings: DynamoDbSettings, store: DynamoDbJobStore) -> None:
    plans = [planned_job(cuts=[at] * 30) for at in range(1, 6)]

    def save(at: int) -> PlanHead:
        with closing(DynamoDbJobStore(settings)) as own:
            return own.save_plan(UID, plan_head(plans[at], plan_id=f"plan-{at}"), plans[at])

    with ThreadPoolExecutor(5) as pool:
        heads = list(pool.map(save, range(5)))
    assert len({head.plan_id for head in heads}) == 1
    stands = plans[int(heads[0].plan_id[-1])]
    assert list(store.planned_videos(UID, heads[0].plan_id)) == stands


def test_a_planner_that_died_before_its_head_planned_nothing(proxy: FaultyDynamoDb, store: DynamoDbJobStore) -> None:
    proxy.rule = lambda name, _before: Fault.DENY if name == "PutItem" else None
    with pytest.raises(SinkError):
        store.save_plan(UID, plan_head([good_video(0, cuts=3)], plan_id="dead"), [good_video(0, cuts=3)])
    proxy.rule = lambda _name, _before: None
    assert store.plan_head(UID, 1) is None
    videos = planned_job(cuts=[1])
    head = _saved(store, videos)
    assert list(store.planned_videos(UID, head.plan_id)) == videos


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR, Fault.DROP_ANSWER])
def test_a_plan_is_whole_when_a_third_of_all_calls_fail(
    proxy: FaultyDynamoDb, store: DynamoDbJobStore, fault: Fault
) -> None:
    chance = np.random.default_rng(5)
    proxy.rule = lambda _name, _before: fault if chance.random() < 0.3 else None
    videos = planned_job(cuts=[at % 4 for at in range(200)])
    head = _saved(store, videos)
    assert head == plan_head(videos)
    assert list(store.planned_videos(UID, head.plan_id)) == videos
    assert proxy.faults > 3


@pytest.mark.parametrize("seed", range(2))
def test_an_index_reads_the_videos_of_its_segments_and_no_others(store: DynamoDbJobStore, seed: int) -> None:
    chance = np.random.default_rng(seed)
    lengths = [None if chance.random() < 0.2 else int(chance.integers(0, 7)) for _ in range(20)]
    videos = planned_job(cuts=lengths)
    head = _saved(store, videos)
    for batch in (1, 7, head.segments):
        for first in range(0, head.segments, batch):
            found = list(store.videos_of_segments(UID, head, first, batch))
            assert found == _holding(videos, first, batch), (first, batch)


def test_segments_beyond_the_plan_are_nobodys(store: DynamoDbJobStore) -> None:
    head = _saved(store, planned_job(cuts=[2, None]))
    beyond = store.videos_of_segments(UID, head, head.segments, 4)
    assert [segment.index for video in beyond for segment in video.segments if segment.index >= head.segments] == []
    assert list(store.videos_of_segments(UID, replace(head, plan_id="no-such-plan"), 0, 4)) == []


@pytest.mark.parametrize(("cuts", "reads"), [(DAY_CUTS, 1), (99_999, 4)])
def test_a_very_long_video_is_read_by_each_index_in_few_calls(
    proxy: FaultyDynamoDb, store: DynamoDbJobStore, cuts: int, reads: int
) -> None:
    before, long, behind = planned_job(cuts=[0, cuts, 0])
    head = _saved(store, [before, long, behind])
    for first in (1, cuts // 2, cuts):
        proxy.seen.clear()
        assert list(store.videos_of_segments(UID, head, first, 1)) == [long]
        # One call to find where the video begins, then pages of 1 MB.
        assert proxy.seen == ["Query"] * len(proxy.seen)
        assert len(proxy.seen) <= 1 + reads
    assert store.usage().payload_bytes < 40 * cuts


def test_thousands_of_videos_are_stored_in_batches(proxy: FaultyDynamoDb, store: DynamoDbJobStore) -> None:
    videos = planned_job(cuts=[None if at % 10 == 3 else at % 3 for at in range(3000)])
    head = _saved(store, videos)
    assert len(proxy.seen) == 3000 / 25 + 1
    assert proxy.seen[-1] == "PutItem", "the head comes last"
    assert list(store.planned_videos(UID, head.plan_id)) == videos
    proxy.seen.clear()
    middle = head.segments // 2
    assert list(store.videos_of_segments(UID, head, middle, 20)) == _holding(videos, middle, 20)
    assert len(proxy.seen) == 2


def test_segments_around_a_million_are_found(store: DynamoDbJobStore) -> None:
    videos = [good_video(0, cuts=2, first_segment=999_980), good_video(1, cuts=99, first_segment=999_990)]
    videos += [bad_video(1_000_000), replace(good_video(1_000_001), first_segment=1_000_090)]
    head = _saved(store, videos)
    assert list(store.planned_videos(UID, head.plan_id)) == videos
    for first in (999_990, 999_999, 1_000_000, 1_000_089):
        assert list(store.videos_of_segments(UID, head, first, 1)) == [videos[1]], first
    assert list(store.videos_of_segments(UID, head, 1_000_089, 2)) == [videos[1], videos[3]]
    run = store.begin(run_record(UID, segments=1_000_091))
    for segment in videos[1].segments[5:20]:
        store.commit(run, segment_commit(segment_result(segment)))
        store.fail(run, SegmentFailure(segment.index + 50, 1, {"reason": "InputCorrupt"}))
    assert store.committed(run) == set(range(999_995, 1_000_010))
    assert store.committed_between(run, 999_998, 5) == set(range(999_998, 1_000_003))
    assert [commit.result.segment for commit in store.commits(run)] == list(range(999_995, 1_000_010))
    assert [one.segment for one in store.failures(run)] == list(range(1_000_045, 1_000_060))


def test_a_job_that_the_release_before_began_keeps_its_keys_to_its_end(
    settings: DynamoDbSettings, store: DynamoDbJobStore
) -> None:
    videos = planned_job(cuts=[2, None])
    head = store.save_plan(UID, replace(plan_head(videos), keys=1), videos)
    assert store.plan_head(UID, 1) == head
    begun = store.begin(replace(run_record(UID), keys=1))
    commits = [segment_commit(segment_result(segment)) for segment in planned()]
    store.commit(begun, commits[0])
    store.fail(begun, SegmentFailure(2, 0, {"reason": "InputCorrupt"}))
    client = make_client(settings)
    keys = {(item["PK"]["S"], item["SK"]["S"]) for item in client.scan(TableName=settings.table)["Items"]}
    assert keys == {
        *((UID, "JOB"), (UID, "PLAN#000001"), (f"{UID}#plan#{head.plan_id}", "SEG#000000")),
        *((f"{UID}#plan#{head.plan_id}", "BAD#000001"), (f"{UID}#1#0", "SEG#000000"), (f"{UID}#1#0", "FAIL#000002")),
    }
    # This release plans, where nothing was begun, with its own keys; the run goes on with those that it has.
    run = store.begin(run_record(UID))
    assert run == begun == store.newest(UID)
    assert store.committed(run) == {0}
    assert [one.segment for one in store.failures(run)] == [2]
    assert list(store.videos_of_segments(UID, head, 1, 1)) == videos[:1]
    for commit in commits[1:]:
        store.commit(run, commit)
    store.finalise(run, b'{"a":1}', None)
    assert store.finished_run(UID) == run
    assert list(store.commits(run)) == commits
    newer = store.begin(run_record(UID, plan="plan-b"))
    assert (newer.epoch, newer.keys, store.finished_run(UID)) == (2, 2, run)
    store.finalise(newer, b'{"a":2}', None)
    assert store.finished_run(UID) == newer
    assert (store.finished(run), store.finished(newer)) == (b'{"a":1}', b'{"a":2}')


def test_a_failure_is_stored_once_and_the_first_one_stays(store: DynamoDbJobStore, run: RunRecord) -> None:
    first = SegmentFailure(1, 0, InputCorrupt("damaged", uri="s3://b/k", segment=1, time_ms=40).as_dict())
    assert store.fail(run, first) is FailOutcome.STORED
    again = replace(first, error=InputCorrupt("otherwise").as_dict())
    assert store.fail(run, again) is FailOutcome.ALREADY_STORED
    assert store.failures(run) == (first,)


def _failed(segment: int) -> SegmentFailure:
    return SegmentFailure(segment, 0, {"reason": "InputCorrupt", "segment": segment})


@pytest.mark.parametrize("keys", [1, 2])
def test_a_late_verdict_does_not_touch_a_committed_segment(store: DynamoDbJobStore, keys: int) -> None:
    run = store.begin(replace(run_record(UID), keys=keys))
    commits = [segment_commit(segment_result(segment)) for segment in planned()]
    store.commit(run, commits[1])
    assert [store.fail(run, _failed(segment)) for segment in (1, 2, 1)] == [
        FailOutcome.COMMITTED,
        FailOutcome.STORED,
        FailOutcome.COMMITTED,
    ]
    assert store.failures(run) == (_failed(2),)
    # The other way round both are there, and the commit counts.
    assert store.commit(run, commits[2]) is CommitOutcome.STORED
    assert store.fail(run, _failed(2)) is FailOutcome.COMMITTED
    assert (store.committed(run), store.failures(run)) == (frozenset({1, 2}), (_failed(2),))


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR])
def test_a_commit_between_two_attempts_of_a_verdict_is_seen(
    proxy: FaultyDynamoDb,
    store: DynamoDbJobStore,
    run: RunRecord,
    dynamodb_url: str,
    settings: DynamoDbSettings,
    fault: Fault,
) -> None:
    commit = segment_commit(segment_result(planned()[1]))
    with closing(DynamoDbJobStore(replace(settings, endpoint_url=dynamodb_url))) as twin:

        def rule(name: str, _before: int) -> Fault | None:
            if name != "TransactWriteItems" or twin.committed(run):
                return None
            twin.commit(run, commit)
            return fault

        proxy.rule = rule
        assert store.fail(run, _failed(1)) is FailOutcome.COMMITTED
    assert (store.failures(run), proxy.faults) == ((), 1)


def test_a_verdict_whose_answer_was_lost_is_stored_once(
    proxy: FaultyDynamoDb, store: DynamoDbJobStore, run: RunRecord
) -> None:
    lost = [Fault.DROP_ANSWER]
    proxy.rule = lambda name, _before: lost.pop() if lost and name == "TransactWriteItems" else None
    assert store.fail(run, _failed(1)) is FailOutcome.STORED
    assert (store.failures(run), proxy.faults) == ((_failed(1),), 1)


def test_a_policy_of_an_earlier_release_lets_verdicts_through(
    proxy: FaultyDynamoDb, store: DynamoDbJobStore, run: RunRecord
) -> None:
    proxy.rule = lambda name, _before: Fault.DENY if name == "TransactWriteItems" else None
    store.commit(run, segment_commit(segment_result(planned()[1])))
    outcomes = [store.fail(run, _failed(segment)) for segment in (1, 2, 2)]
    assert outcomes == [FailOutcome.COMMITTED, FailOutcome.STORED, FailOutcome.ALREADY_STORED]
    assert store.failures(run) == (_failed(2),)
    proxy.rule = lambda name, _before: Fault.DENY if name in {"TransactWriteItems", "PutItem"} else None
    with pytest.raises(SinkError, match="AccessDenied") as caught:
        store.fail(run, _failed(0))
    assert "ConditionCheckItem" in caught.value.hint


def test_of_racing_verdict_and_commit_no_failure_stands_behind_a_result(
    settings: DynamoDbSettings, store: DynamoDbJobStore, run: RunRecord
) -> None:
    segments = planned(24)
    with closing(DynamoDbJobStore(settings)) as twin, ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda segment: store.fail(run, _failed(segment.index)), segments)
        outcomes = pool.map(lambda segment: twin.commit(run, segment_commit(segment_result(segment))), segments)
        stored = [at for at, verdict in enumerate(verdicts) if verdict is FailOutcome.STORED]
        assert set(outcomes) == {CommitOutcome.STORED}
    assert [failure.segment for failure in store.failures(run)] == stored
    assert [store.fail(run, _failed(segment.index)) for segment in segments] == [FailOutcome.COMMITTED] * 24


def test_an_index_reads_the_failures_of_its_videos_and_no_others(
    settings: DynamoDbSettings, dynamodb_url: str, run: RunRecord
) -> None:
    items = [failure_item(run, _failed(segment)) for segment in range(0, 6000, 10)]
    client = make_client(replace(settings, endpoint_url=dynamodb_url))
    for at in range(0, len(items), 25):
        puts: list[WriteRequestTypeDef] = [
            {"PutRequest": {"Item": to_attributes(item)}} for item in items[at : at + 25]
        ]
        client.batch_write_item(RequestItems={settings.table: puts})
    reads = count_reads(client)
    with closing(DynamoDbJobStore(settings, client)) as store:
        assert store.failures_between(run, 3005, 5) == ()
        assert (reads.requests, reads.units <= 1) == (1, True)
        assert [one.segment for one in store.failures_between(run, 2995, 30)] == [3000, 3010, 3020]
        assert (reads.requests, reads.units <= 2) == (2, True)
        assert store.failures_between(run, 0, 10**12) == store.failures(run)
        assert reads.requests > 10, "so much costs what all of them cost"


@pytest.mark.parametrize("keys", [1, 2])
def test_failures_around_a_video_are_found_under_any_keys(store: DynamoDbJobStore, keys: int) -> None:
    run = store.begin(replace(run_record(UID), keys=keys))
    for segment in (9, 10, 15, 16, 100_000):
        store.fail(run, _failed(segment))
    assert [one.segment for one in store.failures_between(run, 10, 6)] == [10, 15]


def test_an_index_of_one_segment_writes_one_unit(settings: DynamoDbSettings, run: RunRecord) -> None:
    model = ModelFacts("face_detector", "1", ("face",))
    units = []
    for segment in planned():
        with closing(DynamoDbJobStore(settings)) as pod:
            assert pod.describe_model(run, model) == model
            pod.commit(run, segment_commit(segment_result(segment)))
            units.append(pod.usage().write_units)
    assert units == [2.0, 1.0, 1.0], "only the first one stores the model"


def test_failures_come_by_ascending_segment(store: DynamoDbJobStore, run: RunRecord) -> None:
    for segment in (11, 2, 100_000, 7):
        store.fail(run, SegmentFailure(segment, segment // 10, {"reason": "InputCorrupt"}))
    assert [failure.segment for failure in store.failures(run)] == [2, 7, 11, 100_000]


def test_who_met_an_error_first_stays_for_each_segment_and_reason(
    proxy: FaultyDynamoDb, store: DynamoDbJobStore, run: RunRecord
) -> None:
    first = SegmentDoubt(3, "DecoderCrashed", "pod-1", 100)
    assert store.doubt(run, first) == first
    assert store.doubt(run, replace(first, pod="pod-2", since_s=200)) == first
    assert store.doubt(run, replace(first, reason="DecodeTimeout", pod="pod-2")).pod == "pod-2"
    assert store.doubt(run, replace(first, segment=4, pod="pod-2")).pod == "pod-2"
    assert [(one.reason, one.pod) for one in store.doubts(run, 3)] == [
        ("DecodeTimeout", "pod-2"),
        ("DecoderCrashed", "pod-1"),
    ]
    assert (store.failures(run), store.committed(run)) == ((), frozenset())
    proxy.rule = lambda name, before: Fault.DROP_ANSWER if name == "PutItem" and not before else None
    own = SegmentDoubt(5, "DecoderCrashed", "pod-1", 100)
    assert store.doubt(run, own) == own, "its own word, of which the acknowledgement was lost, confirms nothing"


def test_a_resume_forgets_what_may_pass_and_all_doubts(store: DynamoDbJobStore, run: RunRecord) -> None:
    for segment in range(60):
        error = InputUnavailable("away") if segment % 2 else InputCorrupt("damaged")
        store.fail(run, SegmentFailure(segment, segment, error.as_dict()))
    store.fail(run, SegmentFailure(60, 60, DecoderCrashed("dead").as_dict()))
    store.doubt(run, SegmentDoubt(3, "DecoderCrashed", "pod-1", 100))
    for _ in range(2):
        store.forgive(run)
        assert [one.segment for one in store.failures(run)] == list(range(0, 60, 2))
    assert store.doubt(run, SegmentDoubt(3, "DecoderCrashed", "pod-2", 200)).pod == "pod-2"
    newer = store.begin(replace(run, plan_digest="another"))
    store.fail(newer, SegmentFailure(1, 1, InputUnavailable("away").as_dict()))
    with pytest.raises(StaleEpoch):
        store.forgive(run)
    assert len(store.failures(newer)) == 1


def test_the_first_model_of_a_run_stays(store: DynamoDbJobStore, run: RunRecord) -> None:
    model = ModelFacts("face_detector", "1", ("face", "ünïcode"), "digest-1")
    assert store.model(run) is None
    assert store.describe_model(run, model) == model
    assert store.describe_model(run, replace(model, digest="digest-2")) == model
    assert store.model(run) == model


def test_lost_acknowledgements_change_nothing(proxy: FaultyDynamoDb, store: DynamoDbJobStore, run: RunRecord) -> None:
    lost = iter([Fault.DROP_ANSWER, None])
    proxy.rule = lambda name, _before: next(lost, None) if name == "PutItem" else None
    failure = SegmentFailure(0, 0, {"reason": "InputCorrupt"})
    store.fail(run, failure)
    model = ModelFacts("m", "1", ())
    assert store.describe_model(run, model) == model
    assert (store.failures(run), store.model(run), proxy.faults) == ((failure,), model, 1)


def test_an_older_epoch_neither_fails_segments_nor_names_the_model(store: DynamoDbJobStore, run: RunRecord) -> None:
    newer = store.begin(run_record(UID, plan="plan-b"))
    with pytest.raises(StaleEpoch):
        store.fail(run, SegmentFailure(0, 0, {"reason": "InputCorrupt"}))
    with pytest.raises(StaleEpoch):
        store.describe_model(run, ModelFacts("m", "1", ()))
    assert (store.failures(newer), store.model(newer)) == ((), None)
    stranger = replace(run_record("team.stranger"), epoch=1)
    with pytest.raises(SinkError, match="is not in this store"):
        store.fail(stranger, SegmentFailure(0, 0, {}))


def test_an_index_learns_which_of_its_own_segments_are_stored(store: DynamoDbJobStore, run: RunRecord) -> None:
    large = tuple(Presence(0, at * 5000, at * 5000 + 1, at * 5000, 1, (1, 2, 3, 4)) for at in range(15_000))
    for segment in planned(40)[::3]:
        result = segment_result(segment)
        store.commit(run, segment_commit(replace(result, presence=large) if segment.index == 12 else result))
    for first, count in ((0, 10), (12, 1), (13, 1), (30, 100)):
        wanted = {index for index in range(0, 40, 3) if first <= index < first + count}
        assert store.committed_between(run, first, count) == wanted


@pytest.mark.parametrize("keys", [1, 2])
def test_a_deleted_job_leaves_nothing_and_a_call_that_was_cut_off_is_repeated(
    proxy: FaultyDynamoDb, settings: DynamoDbSettings, store: DynamoDbJobStore, keys: int
) -> None:
    videos = planned_job(cuts=[2, None, 5])
    store.save_plan(UID, replace(plan_head(videos), keys=keys), videos)
    run = store.begin(replace(run_record(UID), keys=keys))
    store.describe_model(run, ModelFacts("m", "1", ()))
    store.commit(run, segment_commit(segment_result(planned()[0])))
    store.fail(run, _failed(1))
    client = make_client(settings)
    before = client.scan(TableName=settings.table)["Count"]
    proxy.seen.clear()
    proxy.rule = lambda name, _before: Fault.DENY if proxy.seen.count("BatchWriteItem") == 2 else None
    with pytest.raises(SinkError):
        store.delete(UID)
    proxy.rule = lambda _name, _before: None
    left = client.scan(TableName=settings.table)["Count"]
    assert 0 < left < before
    assert (store.delete(UID), store.delete(UID)) == (left, 0)
    assert client.scan(TableName=settings.table)["Count"] == 0


def test_a_plan_neither_hides_commits_nor_shows_among_jobs(store: DynamoDbJobStore, run: RunRecord) -> None:
    _saved(store, planned_job(cuts=[2]))
    store.fail(run, SegmentFailure(2, 0, {"reason": "InputCorrupt"}))
    store.commit(run, segment_commit(segment_result(planned()[0])))
    assert store.committed(run) == {0}
    assert [commit.result.segment for commit in store.commits(run)] == [0]
    assert store.runs() == [run]


@pytest.mark.parametrize("failed", [0, 1, 6000], ids=["none", "in the head", "in parts"])
def test_what_a_look_takes_of_a_summary_is_read_without_the_rest(
    proxy: FaultyDynamoDb, store: DynamoDbJobStore, run: RunRecord, failed: int
) -> None:
    assert store.finished_facts(run) is None
    columns = {name: list(range(60_000)) for name in ("first_ms", "last_ms", "peak_ms")}
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "state": "PartiallyCompleted" if failed else "Completed",
        "message": f"{failed} of {failed + 1} inputs failed" if failed else "",
        "frames": {"decoded": 9, "selected": 8, "gated": 1, "inferred": 7},
        "failed_inputs": [
            {"video": at, "uri": f"s3://b/{at}", "error": {"reason": "NoFrames", "message": "x" * 60}}
            for at in range(failed)
        ],
    }
    store.finalise(run, facts | {"classes": [], "videos": [{"video": 0, "presence": columns}]}, None)
    proxy.seen.clear()
    found = store.finished_facts(run)
    assert found is not None
    state, _, frames, inputs = facts_of(found)
    assert (state, frames.selected) == (facts["state"], 8)
    assert [one.uri for one in inputs[:3]] == [f"s3://b/{at}" for at in range(min(failed, 3))]
    assert len(proxy.seen) <= 3, "its parts are many"


def test_a_summary_of_columns_is_stored_as_that_of_lists(store: DynamoDbJobStore, run: RunRecord) -> None:
    spans = [Presence(at % 3, at * 10, at * 10 + 5, at * 10 + 1, at, (at, -1, 40, 2)) for at in range(9000)]
    document: Any = {"state": "Completed", "videos": [{"presence": presence_columns(PresenceColumns.of(spans))}]}
    listed: Any = {"state": "Completed", "videos": [{"presence": presence_table(spans)}]}
    assert store.finalise(run, document, None)
    assert store.finished(run) == canonical(listed)
    assert not store.finalise(run, canonical(listed), None), "it is the same summary"
