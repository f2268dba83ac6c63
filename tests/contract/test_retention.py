"""How long results stay, in a real table: with a retention each item has a time at which it expires, without it none.

Whatever the order of things, a job's state outlives its commits: without it nobody finds them.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from support.dynamodb import Fault, FaultyDynamoDb, settings_for
from support.plans import bad_video, good_video, plan_head
from support.results import planned, run_record, segment_commit, segment_result
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings, make_client
from videojob.errors import InputCorrupt, SinkError
from videojob.ports.results import CommitOutcome
from videojob.results.aggregate.segment_results import Presence, RunRecord, SegmentCommit
from videojob.results.stored.codec import canonical
from videojob.results.stored.retention import DAY_S, LONGEST_RUN_S
from videojob.video.guide import GuidePart, VideoGuide
from videojob.video.plan import ModelFacts, PlannedVideo, SegmentDoubt, SegmentFailure

UID = "team.uid-1"
START_S = 1_700_000_000
RETENTION_S = 7 * DAY_S
SUMMARY = canonical({"rows": list(range(30_000))})
KINDS = frozenset(
    {"JOB", "OUTBOX#", "PLAN#", "SUMMARY#", "SUMMARY# part", "plan BAD#", "plan GUIDE#", "plan SEG#", "plan SEG# part"}
    | {"epoch CONFLICT#", "epoch DOUBT#", "epoch FAIL#", "epoch MODEL", "epoch SEG#", "epoch SEG# part"}
)
"""All that a table holds of a job."""


@dataclass
class Time:
    """Seconds since the epoch, as the test says."""

    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Table:
    """A table of its own, and stores over it."""

    settings: DynamoDbSettings
    time: Time = field(default_factory=Time)

    def store(self, retention_s: int | None) -> DynamoDbJobStore:
        return DynamoDbJobStore(replace(self.settings, retention_s=retention_s, now_s=self.time))

    def items(self) -> list[dict[str, Any]]:
        return make_client(self.settings).scan(TableName=self.settings.table)["Items"]

    def expiries(self) -> dict[str, set[int | None]]:
        """When items expire, by their kind."""
        found: dict[str, set[int | None]] = {}
        for item in self.items():
            value = item.get("expires_at")
            found.setdefault(_kind(item), set()).add(None if value is None else int(value["N"]))
        return found

    def time_to_live(self) -> tuple[str, str]:
        """(status, attribute), "" for none."""
        answer = make_client(self.settings).describe_time_to_live(TableName=self.settings.table)
        found = answer["TimeToLiveDescription"]
        return found["TimeToLiveStatus"], found.get("AttributeName", "")


@pytest.fixture
def table(proxy: FaultyDynamoDb) -> Table:
    made = Table(replace(settings_for(proxy.url), spill_bytes=20_000))
    with closing(made.store(None)) as store:
        store.create_table()
    return made


def _kind(item: dict[str, Any]) -> str:
    place, key = item["PK"]["S"], item["SK"]["S"]
    where = "plan " if "#plan#" in place else "epoch " if "#" in place else ""
    word, mark, _ = key.partition("#")
    return f"{where}{word}{mark}{' part' if '#P' in key else ''}"


def _videos() -> list[PlannedVideo]:
    parts = (GuidePart(0, ((0, 1), (1, 2)), (None, None), "x"), GuidePart(2, ((2, 3),), (None,), "x"))
    guide = VideoGuide(((0, 9),), "common", 2).with_parts(parts)
    long = good_video(2, cuts=9000, first_segment=3)
    return [replace(good_video(0, cuts=2), guide=guide), bad_video(1), long]


def _commit(segment: int, presence: int = 0) -> SegmentCommit:
    result = segment_result(planned(9)[segment])
    spans = tuple(Presence(0, at * 5000, at * 5000 + 1, at * 5000, 1, (1, 2, 3, 4)) for at in range(presence))
    return segment_commit(replace(result, presence=spans) if spans else result)


def _begun(store: DynamoDbJobStore) -> RunRecord:
    """Plans a job, and stores one of each that its run may store."""
    store.save_plan(UID, plan_head(_videos()), _videos())
    run = store.begin(run_record(UID))
    store.describe_model(run, ModelFacts("m", "1", ("face",)))
    store.commit(run, _commit(0))
    store.commit(run, _commit(1, presence=2000))
    assert store.commit(run, _commit(1)) is CommitOutcome.OTHER_KEPT
    store.doubt(run, SegmentDoubt(2, "DecoderCrashed", "pod-1", 100))
    store.fail(run, SegmentFailure(2, 0, InputCorrupt("damaged").as_dict()))
    return run


def _check(store: DynamoDbJobStore, run: RunRecord) -> None:
    """All comes back as it was stored, digests and all."""
    head = store.plan_head(UID, 1)
    assert head == plan_head(_videos())
    assert list(store.planned_videos(UID, head.plan_id))[1:] == _videos()[1:]
    (first,) = store.videos_of_segments(UID, head, 0, 3)
    assert first == _videos()[0]
    assert list(store.commits(run)) == [_commit(0), _commit(1, presence=2000)]
    assert (store.summary(UID), store.finished_run(UID)) == (SUMMARY, run)
    assert [one.segment for one in store.failures(run)] == [2]
    assert store.newest(UID) == run
    assert store.model(run) == ModelFacts("m", "1", ("face",))


@pytest.mark.parametrize("retention_s", [RETENTION_S, None])
def test_all_items_expire_with_a_retention_and_none_without(table: Table, retention_s: int | None) -> None:
    with closing(table.store(retention_s)) as store:
        run = _begun(store)
        assert store.finalise(run, SUMMARY, "{}")
        _check(store, run)
        expected = None if retention_s is None else START_S + retention_s + LONGEST_RUN_S
        assert table.expiries() == {kind: {expected} for kind in KINDS}
        assert store.begin(run) == run
        newer = store.begin(run_record(UID, plan="plan-b"))
        assert (newer.epoch, table.expiries()["JOB"] == {None}) == (2, retention_s is None)


def test_a_jobs_state_outlives_all_its_other_items_while_it_runs_and_after(table: Table) -> None:
    with closing(table.store(RETENTION_S)) as store:
        run = store.begin(run_record(UID))
        for segment in range(8):
            store.commit(run, _commit(segment))
            table.time.now_s += LONGEST_RUN_S / 8
        commits, state = table.expiries()["epoch SEG#"], max(filter(None, table.expiries()["JOB"]))
        assert len(commits) == 8
        assert all(table.time.now_s + RETENTION_S <= (at or 0) < state for at in commits), "nothing goes before its end"
        store.finalise(run, SUMMARY, "{}")
    ends = table.time.now_s + RETENTION_S + LONGEST_RUN_S
    found = table.expiries()
    assert (found["JOB"], found["SUMMARY#"], found["SUMMARY# part"]) == ({ends}, {ends}, {ends})
    assert all((at or 0) < ends for at in found["epoch SEG#"])


@pytest.mark.parametrize("retention_s", [RETENTION_S, None])
def test_a_job_whose_commits_are_kept_is_kept_whole(table: Table, retention_s: int | None) -> None:
    """As one that the release before began, and one that is finished when the retention was taken away."""
    first = None if retention_s else RETENTION_S
    with closing(table.store(first)) as before:
        run = _begun(before)
    with closing(table.store(retention_s)) as store:
        assert store.finalise(run, SUMMARY, "{}")
        _check(store, run)
    found = table.expiries()
    assert [found[kind] for kind in ("JOB", "SUMMARY#", "SUMMARY# part", "OUTBOX#")] == [{None}] * 4


def test_a_lost_answer_is_told_from_another_result_whenever_it_comes(proxy: FaultyDynamoDb, table: Table) -> None:
    with closing(table.store(RETENTION_S)) as store:
        run = store.begin(run_record(UID))
        lost = iter([Fault.DROP_ANSWER])
        proxy.rule = lambda name, _before: next(lost, None) if name == "PutItem" else None
        before = store.usage().items
        assert store.commit(run, _commit(0)) is CommitOutcome.ALREADY_STORED
        assert (store.usage().items - before, proxy.faults) == (1, 1)
        table.time.now_s += 100
        assert store.commit(run, _commit(0)) is CommitOutcome.ALREADY_STORED
        assert store.finalise(run, SUMMARY, None)
        table.time.now_s += 100
        assert not store.finalise(run, SUMMARY, None)


def test_a_table_that_is_made_deletes_what_has_expired_where_that_is_asked_for(
    proxy: FaultyDynamoDb, table: Table
) -> None:
    assert table.time_to_live() == ("DISABLED", "")
    lost = iter([Fault.DROP_ANSWER])
    proxy.rule = lambda name, _before: next(lost, None) if name == "UpdateTimeToLive" else None
    with closing(table.store(RETENTION_S)) as store:
        for _ in range(2):
            store.create_table()
            assert table.time_to_live() == ("ENABLED", "expires_at")
    assert proxy.seen.count("UpdateTimeToLive") == 1


def test_a_table_that_deletes_by_another_attribute_is_refused(table: Table) -> None:
    make_client(table.settings).update_time_to_live(
        TableName=table.settings.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "published"}
    )
    with closing(table.store(RETENTION_S)) as store, pytest.raises(SinkError, match="by the attribute 'published'"):
        store.create_table()


def test_who_may_not_let_items_expire_is_told_what_to_allow(proxy: FaultyDynamoDb, table: Table) -> None:
    proxy.rule = lambda name, _before: Fault.DENY if name == "UpdateTimeToLive" else None
    with closing(table.store(RETENTION_S)) as store, pytest.raises(SinkError) as caught:
        store.create_table()
    assert "UpdateTimeToLive" in caught.value.hint
