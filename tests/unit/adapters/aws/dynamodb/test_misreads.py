"""Whatever lies in a table, reading it ends in values or in a SinkError."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from mypy_boto3_dynamodb.client import DynamoDBClient

from support.decisions import a_head
from support.job_stores import FakeJobStore
from support.plans import good_video
from support.results import run_record, segment_commit, segment_result
from videojob.adapters.aws.dynamodb.attributes import to_attributes
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.errors import SinkError
from videojob.results.stored.items import commit_item
from videojob.results.stored.plan_items import head_item, video_item
from videojob.video.plan import ModelFacts
from videojob.worker.steps.finalise import stored_outcome

RUN = replace(run_record("team.1"), epoch=1)
HEAD = head_item("team.1", a_head())
Read = Callable[[DynamoDbJobStore], object]


class OneItem:
    """A client that answers every read with one item."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": self.item}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": [self.item]}

    def scan(self, **_: Any) -> dict[str, Any]:
        return {"Items": [self.item]}


def store_with(item: dict[str, Any]) -> DynamoDbJobStore:
    client: Any = OneItem(item)
    stands_in: DynamoDBClient = client
    return DynamoDbJobStore(DynamoDbSettings("t"), stands_in)


READS: dict[str, Read] = {
    "head": lambda store: store.plan_head("team.1", 1),
    "videos": lambda store: list(store.planned_videos("team.1", "p")),
    "some videos": lambda store: list(store.videos_of_segments("team.1", a_head(), 0, 1)),
    "failures": lambda store: store.failures(RUN),
    "some failures": lambda store: store.failures_between(RUN, 0, 5),
    "model": lambda store: store.model(RUN),
    "commits": lambda store: list(store.commits(RUN)),
    "indexes": lambda store: store.committed(RUN),
    "some indexes": lambda store: store.committed_between(RUN, 0, 1),
    "summary": lambda store: store.finished(RUN),
    "finished run": lambda store: store.finished_run("team.1"),
    "runs": lambda store: store.runs(),
    "newest run": lambda store: store.newest("team.1"),
    "begin": lambda store: store.begin(RUN),
    "describe": lambda store: store.describe_model(RUN, ModelFacts("m", "1", ())),
}
KEYS = to_attributes({"PK": "team.1", "SK": "SEG#x"})


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize(
    "item",
    [
        KEYS | {"finished_epoch": {"N": "1"}},
        KEYS | {"digest": {"S": "d"}, "parts": {"N": "2"}, "finished_epoch": {"N": "1"}},
        KEYS | {"digest": {"S": "d"}, "summary": {"B": b"x"}},
        KEYS | {"digest": {"S": "d"}, "segments": {"N": "1.5"}},
        KEYS | {name: {"L": []} for name in (*HEAD, "summary", "digest", "finished_epoch") if name not in {"PK", "SK"}},
    ],
    ids=["nothing but keys", "a missing part", "a type that is never written", "half a segment", "lists everywhere"],
)
def test_an_item_that_is_not_ours_is_a_sink_error_with_its_job(read: Read, item: dict[str, Any]) -> None:
    with pytest.raises(SinkError, match="not as this program writes it") as caught:
        read(store_with(item))
    assert not caught.value.retryable
    assert caught.value.hint


@pytest.mark.parametrize("name", [name for name in HEAD if name not in {"PK", "SK", "keys", "longest_ms", "decoded"}])
def test_a_head_with_a_field_missing_is_named(name: str) -> None:
    item = to_attributes({key: value for key, value in HEAD.items() if key != name})
    with pytest.raises(SinkError, match=f"team.1 .*KeyError: '{name}'"):
        store_with(item).plan_head("team.1", 1)


def test_what_is_ours_is_read_as_ever() -> None:
    assert store_with(to_attributes(HEAD)).plan_head("team.1", 1) == a_head()
    of_an_earlier_release = {name: value for name, value in HEAD.items() if name != "longest_ms"}
    assert store_with(to_attributes(of_an_earlier_release)).plan_head("team.1", 1) == a_head()
    video = good_video(0)
    stored = store_with(to_attributes(video_item("team.1", a_head(), video).head))
    assert list(stored.videos_of_segments("team.1", a_head(), 0, 1)) == [video]
    commit = segment_commit(segment_result(video.segments[0]))
    found = list(store_with(to_attributes(commit_item(RUN, commit).head)).commits(RUN))
    assert {asdict(one.result)["segment"] for one in found} == {0}


@pytest.mark.parametrize("summary", [b"{}", b"[]", b"no json", b'{"job": 1}'])
def test_a_stored_summary_that_is_not_ours_is_a_sink_error(summary: bytes) -> None:
    with pytest.raises(SinkError, match="stored summary"):
        stored_outcome(FakeJobStore(summaries={RUN.epoch: summary}), RUN)
