from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.results import planned, run_record, segment_commit, segment_result
from videojob.errors import ItemTooLarge
from videojob.results.aggregate.document import Document
from videojob.results.stored.items import (
    Item,
    commit_from_item,
    commit_item,
    job_item,
    join_items,
    outbox_item,
    run_from_item,
    spill,
    summary_item,
)
from videojob.results.stored.keys import is_part_key, segment_from_key, segment_sort_key
from videojob.results.stored.write_cost import (
    cost_of,
    item_bytes,
    one_item_per_frame,
    write_units,
)

RUN = replace(run_record("u"), epoch=3)
COMMIT = segment_commit(segment_result(planned(9)[6]))

_columns = st.dictionaries(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=6),
    st.lists(st.integers(-(10**9), 10**9), max_size=300),
    max_size=6,
)
_documents = st.fixed_dictionaries(
    {
        "columns": _columns,
        "videos": st.lists(st.fixed_dictionaries({"n": st.integers(), "columns": _columns}), max_size=5),
    }
)


def item_of(document: Document) -> Item:
    return {"PK": "p", "SK": "SEG#000001", "digest": "abcdefabcdef0123", "body": document}


def test_keys_are_those_of_the_design() -> None:
    item = commit_item(RUN, COMMIT).head
    assert (item["PK"], item["SK"]) == ("u#v2#3#2", "SEG#000000006")
    assert (job_item(RUN)["PK"], job_item(RUN)["SK"]) == ("u", "JOB")
    assert summary_item(RUN, {}, "d").head["SK"] == "SUMMARY#000003"
    assert outbox_item(RUN, "{}")["SK"] == "OUTBOX#000003"


def test_commit_and_run_survive_as_items() -> None:
    assert commit_from_item(commit_item(RUN, COMMIT).head) == COMMIT
    assert run_from_item(job_item(RUN)) == RUN


def test_item_that_fits_is_left_whole() -> None:
    item = item_of({"a": [1, 2]})
    spilled = spill(item, "abc", max_bytes=item_bytes(item))
    assert (spilled.head, spilled.parts) == (item, ())


@settings(max_examples=200, deadline=None)
@given(_documents, st.integers(400, 3000))
def test_spilled_item_is_joined_again(document: Document, max_bytes: int) -> None:
    item = item_of(document)
    try:
        spilled = spill(item, "abcdefabcdef0123", max_bytes)
    except ItemTooLarge:
        assert max_bytes < 2000
        return
    assert all(item_bytes(one) <= max_bytes for one in spilled.all)
    stored = sorted(spilled.all, key=lambda one: str(one["SK"]))
    assert list(join_items(stored)) == [item]


def test_parts_name_their_head_and_digest() -> None:
    spilled = spill(item_of(list(range(500))), "abcdefabcdef0123", max_bytes=1000)
    assert [part["SK"] for part in spilled.parts][:2] == [
        "SEG#000001#abcdefabcdef#P000001",
        "SEG#000001#abcdefabcdef#P000002",
    ]
    assert spilled.head["parts"] == len(spilled.parts)


def test_parts_without_head_and_of_other_digests_are_dropped() -> None:
    ours = spill(item_of(list(range(500))), "abcdefabcdef0123", max_bytes=1000)
    theirs = spill(item_of(list(range(600))), "0123012301230123", max_bytes=1000)
    orphans = [{**part, "SK": str(part["SK"]).replace("000001", "000000")} for part in theirs.parts]
    stored = sorted([*orphans, *ours.all, *theirs.parts], key=lambda one: str(one["SK"]))
    assert list(join_items(stored)) == [item_of(list(range(500)))]


def test_neighbours_are_joined_apart() -> None:
    bodies: list[list[Document]] = [list(range(500)), [1], list(range(600)), []]
    stored: list[Item] = []
    for number, body in enumerate(bodies):
        stored += spill({**item_of(body), "SK": segment_sort_key(number, 2)}, "abcdefabcdef0123", max_bytes=1000).all
    stored.sort(key=lambda one: str(one["SK"]))
    assert [item["body"] for item in join_items(stored)] == bodies
    heads = [str(item["SK"]) for item in stored if not is_part_key(str(item["SK"]))]
    assert [segment_from_key(key) for key in heads] == [0, 1, 2, 3]


def test_missing_part_is_an_error() -> None:
    spilled = spill(item_of(list(range(500))), "abcdefabcdef0123", max_bytes=1000)
    with pytest.raises(ValueError, match="parts"):
        list(join_items([spilled.head, *spilled.parts[1:]]))


def test_part_that_belongs_to_no_list_is_an_error() -> None:
    spilled = spill(item_of(list(range(500))), "abcdefabcdef0123", max_bytes=1000)
    lost = [{**part, "path": "digest"} for part in spilled.parts]
    with pytest.raises(ValueError, match="not a list"):
        list(join_items([spilled.head, *lost]))


@pytest.mark.parametrize("body", ["x" * 2000, ["x" * 2000], {"name": {"deep": "x" * 2000}}])
def test_item_that_cannot_be_divided_is_refused(body: Document) -> None:
    with pytest.raises(ItemTooLarge, match="cannot be divided"):
        spill(item_of(body), "abc", max_bytes=1000)


@pytest.mark.parametrize(
    ("item", "size_bytes"),
    [
        ({"ab": "ü"}, 4),
        ({"a": 0}, 2),
        ({"a": 7}, 3),
        ({"a": -7}, 4),
        ({"a": 123456}, 5),
        ({"a": 1_000_000}, 3),
        ({"a": True}, 2),
        ({"a": None}, 2),
        ({"a": []}, 4),
        ({"a": [1, 2]}, 10),
        ({"a": {"b": "cd"}}, 8),
    ],
)
def test_size_follows_the_published_rule(item: Item, size_bytes: int) -> None:
    assert item_bytes(item) == size_bytes


@pytest.mark.parametrize(
    ("size_bytes", "transactional", "units"),
    [(0, False, 1), (1024, False, 1), (1025, False, 2), (1024, True, 2), (400 * 1024, False, 400)],
)
def test_units_are_per_started_kilobyte(size_bytes: int, transactional: bool, units: int) -> None:
    assert write_units(size_bytes, transactional=transactional) == units


def test_million_frames_cost_a_thousandth_of_one_item_per_frame() -> None:
    """30 frames/s, segments of 30 s, windows of 10 s, two classes all the time."""
    commit = segment_commit(segment_result(planned(1)[0], windows=3))
    per_segment = sum(write_units(item_bytes(item)) for item in commit_item(RUN, commit).all)
    ours = cost_of(-(-1_000_000 // 900) * per_segment)
    per_frame = one_item_per_frame(1_000_000)
    assert ours.write_units == 1112
    assert per_frame.write_units == 1_000_000
    assert per_frame.usd == pytest.approx(0.625)
    assert ours.usd < 0.001
