"""The DynamoDB sink against a real server behind a proxy that loses answers, throttles and fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

from support.dynamodb import Fault, FaultyDynamoDb, Rule, settings_for
from support.results import planned, run_record, segment_commit, segment_result
from videojob.adapters.aws.dynamodb.calls import RetryPolicy
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings, DynamoDbSink, make_client
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import SetupError, SinkError, SinkUnavailable
from videojob.ports.results import CommitOutcome, Sink
from videojob.results.aggregate.segment_results import Presence, RunRecord, SegmentCommit
from videojob.results.stored.codec import digest

pytestmark = pytest.mark.usefixtures("aws")
IMPATIENT = RetryPolicy(give_up_s=0.2, first_wait_s=0.01, max_wait_s=0.02)


@pytest.fixture
def settings(proxy: FaultyDynamoDb) -> DynamoDbSettings:
    """A fresh table behind the proxy."""
    settings = replace(settings_for(proxy.url), spill_bytes=20_000)
    with closing(DynamoDbSink(settings)) as sink:
        sink.create_table()
    proxy.seen.clear()
    return settings


@pytest.fixture
def sink(settings: DynamoDbSettings) -> Iterator[DynamoDbSink]:
    with closing(DynamoDbSink(settings)) as sink:
        yield sink


def on(operation: str, fault: Fault, *, times: int = 1) -> Rule:
    """The fault for the first `times` calls of one operation."""
    left = [fault] * times

    def rule(name: str, _before: int) -> Fault | None:
        return left.pop() if name == operation and left else None

    return rule


def share(fault: Fault, probability: float, seed: int) -> Rule:
    """The fault for a random share of all calls."""
    chance = np.random.default_rng(seed)
    return lambda _name, _before: fault if chance.random() < probability else None


def always(fault: Fault) -> Rule:
    return lambda _name, _before: fault


def commits(count: int = 6) -> list[SegmentCommit]:
    return [segment_commit(segment_result(segment)) for segment in planned(count)]


def large_commit(segment: int = 0, intervals: int = 1500) -> SegmentCommit:
    """A result of about 50 KB as an item, more than `settings` leave whole."""
    spans = tuple(
        Presence(0, at * 5000, at * 5000 + 123, at * 5000, 912_345, (101, 203, 1507, 999)) for at in range(intervals)
    )
    result = replace(segment_result(planned(9)[segment]), presence=spans)
    return SegmentCommit(result, digest(result))


def whole_job(sink: Sink) -> tuple[list[SegmentCommit], bytes | None]:
    """Begins, commits and finishes a job; returns what a reader finds."""
    run = sink.begin(run_record(segments=6))
    for commit in commits(6):
        sink.commit(run, commit)
    sink.finalise(run, b'{"a":[1,2,3]}', '{"state":"Completed"}')
    return list(sink.commits(run)), sink.summary(run.uid)


def test_lost_acknowledgement_of_a_commit_is_no_second_result(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record())
    first, *_ = commits()
    proxy.rule = on("PutItem", Fault.DROP_ANSWER)
    assert sink.commit(run, first) is CommitOutcome.ALREADY_STORED
    assert list(sink.commits(run)) == [first]
    assert proxy.faults == 1


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_lost_acknowledgement_of_a_begin_starts_one_epoch(
    proxy: FaultyDynamoDb, sink: DynamoDbSink, operation: str
) -> None:
    proxy.rule = on(operation, Fault.DROP_ANSWER)
    assert sink.begin(run_record()).epoch == 1
    assert proxy.faults == 1


def test_lost_acknowledgement_of_a_new_epoch_starts_one_epoch(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    sink.begin(run_record())
    proxy.rule = on("UpdateItem", Fault.DROP_ANSWER)
    assert sink.begin(run_record(plan="plan-b")).epoch == 2
    assert proxy.faults == 1


def test_lost_acknowledgement_of_the_finish_counts_as_stored(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record())
    proxy.rule = on("TransactWriteItems", Fault.DROP_ANSWER)
    assert sink.finalise(run, b'{"a":1}', "{}")
    assert not sink.finalise(run, b'{"a":1}', "{}")
    assert sink.summary(run.uid) == b'{"a":1}'
    assert proxy.faults == 1


@pytest.mark.parametrize(
    ("fault", "probability"), [(Fault.THROTTLE, 0.3), (Fault.SERVER_ERROR, 0.3), (Fault.DROP_ANSWER, 0.3)]
)
def test_job_ends_the_same_when_a_third_of_all_calls_fail(
    proxy: FaultyDynamoDb, sink: DynamoDbSink, fault: Fault, probability: float
) -> None:
    proxy.rule = share(fault, probability, seed=7)
    assert whole_job(sink) == (commits(6), b'{"a":[1,2,3]}')
    assert proxy.faults > 3
    assert (sink.usage().throttled > 3) == (fault is Fault.THROTTLE)


def test_items_that_a_batch_left_over_are_written(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record())
    commit = large_commit()
    proxy.rule = on("BatchWriteItem", Fault.LEAVE_OVER, times=2)
    assert sink.commit(run, commit) is CommitOutcome.STORED
    assert list(sink.commits(run)) == [commit]
    assert proxy.seen.count("BatchWriteItem") == 3
    assert sink.usage().throttled == 2


def test_parts_are_written_before_the_item_that_commits_them(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record())
    proxy.seen.clear()
    sink.commit(run, large_commit())
    assert proxy.seen == ["GetItem", "BatchWriteItem", "PutItem"]


def test_parts_of_a_writer_that_died_disturb_nobody(proxy: FaultyDynamoDb, settings: DynamoDbSettings) -> None:
    proxy.rule = lambda name, _before: Fault.DENY if name == "PutItem" and "BatchWriteItem" in proxy.seen else None
    with closing(DynamoDbSink(settings)) as dying:
        run = dying.begin(run_record())
        with pytest.raises(SinkError):
            dying.commit(run, large_commit(intervals=1501))
    proxy.rule = lambda _name, _before: None
    with closing(DynamoDbSink(settings)) as sink:
        assert sink.committed(run) == frozenset()
        assert list(sink.commits(run)) == []
        assert sink.commit(run, large_commit()) is CommitOutcome.STORED
        assert list(sink.commits(run)) == [large_commit()]


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR, Fault.DROP_ANSWER])
def test_store_that_never_recovers_is_given_up_in_time(
    proxy: FaultyDynamoDb, settings: DynamoDbSettings, fault: Fault
) -> None:
    with closing(DynamoDbSink(replace(settings, retry=IMPATIENT))) as sink:
        run = sink.begin(run_record())
        proxy.rule = always(fault)
        with pytest.raises(SinkUnavailable) as caught:
            sink.commit(run, commits()[0])
    assert caught.value.retryable
    assert proxy.faults > 3


def test_batch_that_is_never_taken_whole_is_given_up_in_time(proxy: FaultyDynamoDb, settings: DynamoDbSettings) -> None:
    with closing(DynamoDbSink(replace(settings, retry=IMPATIENT))) as sink:
        run = sink.begin(run_record())
        proxy.rule = lambda name, _before: Fault.THROTTLE if name == "BatchWriteItem" else None
        with pytest.raises(SinkUnavailable):
            sink.commit(run, large_commit())


def test_server_that_is_not_there_is_unavailable() -> None:
    gone = DynamoDbSink(settings_for("http://127.0.0.1:1", retry=IMPATIENT))
    with closing(gone) as sink, pytest.raises(SinkUnavailable, match="no answer"):
        sink.begin(run_record())


def test_missing_table_is_named_with_the_command_that_makes_it(dynamodb_url: str) -> None:
    missing = DynamoDbSink(settings_for(dynamodb_url, table="nowhere"))
    with closing(missing) as sink, pytest.raises(SinkError, match="nowhere") as caught:
        sink.begin(run_record())
    assert "--create-table" in caught.value.hint
    assert "aws dynamodb create-table --table-name nowhere" in caught.value.hint
    assert not caught.value.retryable


def test_table_with_other_keys_is_refused(dynamodb_url: str) -> None:
    settings = settings_for(dynamodb_url)
    make_client(settings).create_table(
        TableName=settings.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with closing(DynamoDbSink(settings)) as sink:
        with pytest.raises(SinkError, match="other keys") as begun:
            sink.begin(run_record())
        with pytest.raises(SinkError, match="other keys"):
            sink.create_table()
    assert "PK" in begun.value.hint


def test_creating_a_table_twice_is_harmless(sink: DynamoDbSink) -> None:
    sink.create_table()


@pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable"])
@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR, Fault.DROP_ANSWER])
def test_table_is_made_although_calls_fail(proxy: FaultyDynamoDb, operation: str, fault: Fault) -> None:
    proxy.rule = on(operation, fault, times=2)
    with closing(DynamoDbSink(settings_for(proxy.url))) as sink:
        sink.create_table()
        assert sink.begin(run_record()).epoch == 1
    assert proxy.faults == 2


@pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable"])
def test_table_that_may_not_be_made_says_what_to_allow(proxy: FaultyDynamoDb, operation: str) -> None:
    proxy.rule = on(operation, Fault.DENY)
    with (
        closing(DynamoDbSink(settings_for(proxy.url))) as sink,
        pytest.raises(SinkError, match="AccessDenied") as caught,
    ):
        sink.create_table()
    assert operation in caught.value.hint
    assert not caught.value.retryable


def test_table_that_never_becomes_usable_is_given_up_in_time(proxy: FaultyDynamoDb) -> None:
    proxy.rule = lambda name, _before: Fault.NOT_FOUND if name == "DescribeTable" else None
    impatient = replace(settings_for(proxy.url), table_ready_s=1)
    with (
        closing(DynamoDbSink(impatient)) as sink,
        pytest.raises(SinkUnavailable, match="not become active within 1 s") as caught,
    ):
        sink.create_table()
    assert "run again" in caught.value.hint


def test_store_that_is_down_makes_no_table(proxy: FaultyDynamoDb) -> None:
    proxy.rule = always(Fault.SERVER_ERROR)
    several = replace(IMPATIENT, give_up_s=2.0)  # time for several calls on a machine that is busy
    impatient = DynamoDbSink(settings_for(proxy.url, retry=several))
    with closing(impatient) as sink, pytest.raises(SinkUnavailable):
        sink.create_table()
    assert proxy.seen.count("CreateTable") > 3


def test_denied_call_says_what_to_allow(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    proxy.rule = always(Fault.DENY)
    with pytest.raises(SinkError, match="AccessDenied") as caught:
        sink.begin(run_record())
    assert "PutItem" in caught.value.hint
    assert proxy.seen == ["GetItem"]


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "region"])
def test_missing_aws_access_is_named(dynamodb_url: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(dynamodb_url)
    if missing == "region":
        settings = replace(settings, region=None)
        monkeypatch.delenv("AWS_REGION", raising=False)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    else:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    def use() -> None:
        with closing(DynamoDbSink(settings)) as sink:
            sink.begin(run_record())

    with pytest.raises(SetupError, match="not set up") as caught:
        use()
    assert "AWS_PROFILE" in caught.value.hint


def test_segment_item_is_readable_native_attributes(settings: DynamoDbSettings, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record("u"))
    sink.commit(run, segment_commit(segment_result(planned(9)[6], windows=1)))
    stored = make_client(settings).get_item(
        TableName=settings.table, Key={"PK": {"S": "u#v2#1#2"}, "SK": {"S": "SEG#000000006"}}
    )["Item"]
    assert stored["frames_selected"] == {"N": "10"}
    assert stored["start_pts"] == {"N": "6000"}
    assert stored["windows"] == {"M": {"window": {"L": [{"N": "6"}]}, "frames": {"L": [{"N": "10"}]}}}
    assert stored["window_classes"]["M"]["detections"] == {"L": [{"N": "12"}, {"N": "3"}]}
    assert not [name for name, value in stored.items() if "B" in value]


@pytest.mark.parametrize("key", [("u#v2#1#0", "SEG#000000000"), ("u#v2#1#0", "part"), ("u", "SUMMARY#000001")])
def test_an_item_that_somebody_changed_is_named(
    settings: DynamoDbSettings, sink: DynamoDbSink, key: tuple[str, str]
) -> None:
    run = sink.begin(run_record("u"))
    commit = large_commit()
    sink.commit(run, commit)
    sink.finalise(run, b'{"a":1,"state":"x"}', None)
    assert (list(sink.commits(run)), sink.summary("u")) == ([commit], b'{"a":1,"state":"x"}')
    client = make_client(settings)
    sort = key[1] if key[1] != "part" else f"SEG#000000000#{commit.digest[:12]}#P000001"
    name = {"SEG": "frames_selected", "SUM": "summary"}[sort[:3]] if "#P" not in sort else "values"
    changed: AttributeValueTypeDef = {"L": [{"N": "7"}]} if name == "values" else {"N": "11"}
    changed = {"M": {"a": {"N": "2"}, "state": {"S": "x"}}} if name == "summary" else changed
    client.update_item(
        TableName=settings.table,
        Key={"PK": {"S": key[0]}, "SK": {"S": sort}},
        UpdateExpression="SET #n = :v",
        ExpressionAttributeNames={"#n": name},
        ExpressionAttributeValues={":v": changed},
    )
    with pytest.raises(SinkError, match=f"{sort.split('#')[0]}#0.*does not match its digest") as caught:
        sink.summary("u") if name == "summary" else list(sink.commits(run))
    assert not caught.value.retryable


def test_outbox_holds_the_notification(settings: DynamoDbSettings, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record("u"))
    sink.finalise(run, b'{"a":1}', '{"state":"Completed"}')
    stored = make_client(settings).get_item(
        TableName=settings.table, Key={"PK": {"S": "u"}, "SK": {"S": "OUTBOX#000001"}}
    )["Item"]
    assert stored["notification"] == {"S": '{"state":"Completed"}'}
    assert stored["published"] == {"N": "0"}


def _write(open_sink: Callable[[], Sink], wanted: list[SegmentCommit]) -> float:
    with closing(open_sink()) as sink:
        run = sink.begin(run_record())
        for commit in wanted:
            sink.commit(run, commit)
        return sink.usage().write_units


# No size within a percent of a whole KB: the rule gives numbers approximately.
@pytest.mark.parametrize("windows", [1, 5, 60, 115])
def test_units_by_the_published_rule_are_those_that_the_service_reports(
    settings: DynamoDbSettings, tmp_path: Path, windows: int
) -> None:
    # Not for the last transaction: DynamoDB Local reports 4 units for any.
    wanted = [segment_commit(segment_result(segment, windows=windows)) for segment in planned(4)]
    reported = _write(lambda: DynamoDbSink(settings), wanted)
    by_rule = _write(lambda: SqliteSink(tmp_path / "results.db"), wanted)
    assert by_rule == pytest.approx(reported, rel=0.01)


def units_of(sink: Sink, action: Callable[[], object]) -> float:
    """What the action consumed."""
    before = sink.usage().write_units
    action()
    return sink.usage().write_units - before


@pytest.mark.parametrize("windows", [1, 60])
def test_commit_that_came_too_late_is_paid_but_stores_nothing(sink: DynamoDbSink, windows: int) -> None:
    run = sink.begin(run_record())
    first = segment_commit(segment_result(planned()[0], windows=windows))
    stored = units_of(sink, lambda: sink.commit(run, first))
    items = sink.usage().items
    assert units_of(sink, lambda: sink.commit(run, first)) == stored > 0
    smaller = segment_commit(segment_result(planned()[0], windows=1, score_ppm=1))
    assert units_of(sink, lambda: sink.commit(run, smaller)) == stored + 1, "what tells of two results takes one"
    assert sink.usage().items == items + 1
    assert units_of(sink, lambda: sink.commit(run, smaller)) == stored + 1
    assert sink.usage().items == items + 1


def test_lost_answer_is_paid_twice_and_stored_once(proxy: FaultyDynamoDb, sink: DynamoDbSink) -> None:
    run = sink.begin(run_record())
    one, other, *_ = commits()
    stored, items = units_of(sink, lambda: sink.commit(run, one)), sink.usage().items
    proxy.rule = on("PutItem", Fault.DROP_ANSWER)
    assert units_of(sink, lambda: sink.commit(run, other)) == 2 * stored
    assert sink.usage().items == items + 1


def test_throttled_attempt_before_a_commit_that_came_too_late_is_not_paid(
    proxy: FaultyDynamoDb, sink: DynamoDbSink
) -> None:
    run = sink.begin(run_record())
    first = commits()[0]
    stored = units_of(sink, lambda: sink.commit(run, first))
    slower = replace(first, timings=replace(first.timings, wall_s=9.0))
    proxy.rule = on("PutItem", Fault.THROTTLE)
    assert units_of(sink, lambda: sink.commit(run, slower)) == stored


def test_threads_that_share_a_sink_lose_no_count(sink: DynamoDbSink) -> None:
    run = sink.begin(run_record(segments=40))
    begun = sink.usage()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda commit: sink.commit(run, commit), commits(40))) == {CommitOutcome.STORED}
    assert (sink.usage().items - begun.items, sink.usage().write_units - begun.write_units) == (40, 40)


def test_run_survives_in_the_state_item(sink: DynamoDbSink) -> None:
    run = sink.begin(run_record())
    assert sink.runs() == [RunRecord(run.uid, "default", "faces", "plan-a", 3, 1)]
