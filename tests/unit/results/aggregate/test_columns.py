"""Columns of whole numbers: packed, and otherwise as lists are, wherever they go."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob.adapters.aws.dynamodb.attributes import to_attributes
from videojob.errors import ResultsIncomplete
from videojob.results.aggregate.columns import Column, PresenceColumns
from videojob.results.aggregate.document import (
    Document,
    presence_columns,
    presence_from_columns,
    presence_from_table,
    presence_table,
)
from videojob.results.aggregate.merge import merge_presence
from videojob.results.aggregate.segment_results import Presence
from videojob.results.aggregate.totals import PresenceJoiner
from videojob.results.stored.codec import bytes_digest, canonical, canonical_pieces, document_digest
from videojob.results.stored.items import Item, SpilledItem, join_items, spill
from videojob.results.stored.keys import FIRST_KEYS
from videojob.results.stored.write_cost import item_bytes

NUMBERS = st.lists(st.integers(-(2**40), 2**40) | st.integers(-9, 9) | st.integers(0, 40).map(lambda at: at * 1000))
COORDINATE = st.integers(-10, 8192)
SPANS = st.builds(
    Presence,
    st.integers(0, 2),
    st.integers(0, 90).map(lambda at: at * 700),
    st.integers(0, 90).map(lambda at: at * 700),
    st.integers(0, 10_000),
    st.integers(0, 1_000_000),
    st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE),
)
GAP_MS = 2000


def packed(numbers: Sequence[int]) -> Column:
    (column, *_) = PresenceColumns.of_table([numbers] * 9).table_columns()
    return column


def as_columns(value: Document) -> Document:
    """With each list of numbers as a column."""
    if isinstance(value, dict):
        return {name: as_columns(inner) for name, inner in value.items()}
    if isinstance(value, list):
        plain = value and all(type(inner) is int for inner in value)
        return packed(cast("list[int]", value)) if plain else [as_columns(inner) for inner in value]
    return value


@given(NUMBERS)
def test_a_column_is_as_long_and_as_large_as_a_list_of_its_numbers(numbers: list[int]) -> None:
    column = packed(numbers)
    assert list(column) == numbers
    assert column == numbers
    assert item_bytes({"": column}) == item_bytes({"": numbers})
    assert [list(part) for part in (column[1:], column[:-1], column[2:4])] == [numbers[1:], numbers[:-1], numbers[2:4]]
    assert to_attributes({"values": column}) == to_attributes({"values": numbers})


def test_a_column_of_many_blocks_is_one() -> None:
    numbers = [at * 37 % 100_000 for at in range(100_000)]
    column = packed(numbers)
    assert list(column) == numbers
    assert (column[70_000], column[-1]) == (numbers[70_000], numbers[-1])
    assert item_bytes({"": column}) == item_bytes({"": numbers})
    with pytest.raises(IndexError):
        _ = column[100_000]


@given(st.lists(SPANS, max_size=30))
def test_intervals_come_out_as_they_went_in(spans: list[Presence]) -> None:
    columns = PresenceColumns.of(spans)
    assert columns == spans
    assert list(columns) == spans
    assert presence_columns(columns) == presence_table(spans)
    assert presence_from_columns(presence_table(spans)) == presence_from_table(presence_table(spans))
    if spans:
        assert (columns[0], columns[-1], columns[1:3]) == (spans[0], spans[-1], tuple(spans[1:3]))


def test_parts_stay_what_they_are_while_columns_grow_and_widen() -> None:
    def span(at_ms: int) -> Presence:
        return Presence(0, at_ms, at_ms + 5, at_ms, 10, (1, 2, 3, 4))

    columns = PresenceColumns.of([span(0), span(100)])
    part = columns.part(0, 2)
    wide = PresenceColumns.of([span(2**40)])
    columns.extend(wide)
    columns.append(span(300))
    columns.extend(PresenceColumns.of([span(400)]))
    assert list(columns) == [span(0), span(100), span(2**40), span(300), span(400)]
    assert part == [span(0), span(100)]
    assert columns != [span(0)]


def test_a_number_that_no_machine_writes_is_refused_by_name() -> None:
    columns = PresenceColumns.of([Presence(0, 0, 1, 0, 0, (0, 0, 0, 0))])
    with pytest.raises(ResultsIncomplete, match="64 bits"):
        columns.append(Presence(3, 2**70, 1, 0, 0, (0, 0, 0, 0)))
    assert len(columns) == 1
    with pytest.raises(ValueError, match="64 bits"):
        packed([2**70])
    with pytest.raises(ValueError, match="different lengths"):
        PresenceColumns.of_table([[1], [1, 2]])


@given(st.lists(SPANS, max_size=40))
def test_intervals_are_joined_one_by_one_as_all_at_once(spans: list[Presence]) -> None:
    found = [span for span in spans if span.first_ms <= span.last_ms]
    joiner, columns = PresenceJoiner(GAP_MS), PresenceColumns()
    for span in found:
        joiner.add(span)
    joiner.move_to(columns)
    assert columns == merge_presence(found, GAP_MS)


def test_very_many_intervals_out_of_order_are_joined_all_the_same() -> None:
    chance = random.Random(5)
    spans = [Presence(0, at * 9000, at * 9000 + 500, at * 9000, 7, (0, 0, 1, 1)) for at in range(1000)]
    mixed = chance.sample(spans, len(spans))
    joiner, columns = PresenceJoiner(GAP_MS), PresenceColumns()
    for span in mixed:
        joiner.add(span)
    joiner.move_to(columns)
    assert columns == spans


DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text(max_size=6) | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_canonical_json_comes_piece_by_piece_as_at_once(document: Any) -> None:
    data = canonical(document)
    for value in (document, as_columns(document)):
        assert b"".join(canonical_pieces(value)) == data
        assert document_digest(value) == bytes_digest(data)


GOLDEN = (
    *("ea22fc3618c870ec", "0e19292ad3053505", "2cd32f9187d5e937", "a0ba420f0d882e54", "3bea45c1705d828d"),
    *("39886eac8513a43a", "9fb8397780a49020", "6053f0e788f82d47", "cda35626550bb067", "18341c1ae0d75b38"),
)
"""Of the items that the release before columns made of `a_summary(seed)`, by seed."""


def a_summary(seed: int) -> Item:
    chance = random.Random(seed)
    videos: list[Document] = []
    for video in range(chance.randrange(1, 6)):
        rows = chance.randrange(0, 900)
        table: dict[str, Document] = {
            name: [chance.choice((0, 7, -40, 1000, 123456, 10**9)) + chance.randrange(3) for _ in range(rows)]
            for name in ("class_id", "first_ms", "last_ms")
        }
        gaps: list[Document] = [{"start_ms": at, "reason": "InputCorrupt"} for at in range(chance.randrange(4))]
        videos.append({"video": video, "uri": f"s3://b/{video}", "presence": table if rows else {}, "gaps": gaps})
    labels: list[Document] = ["face"] * chance.randrange(3)
    failed: list[Document] = [
        {"uri": "x" * 40, "error": {"reason": "A", "n": at}} for at in range(chance.randrange(40))
    ]
    return {"state": "Completed", "videos": videos, "labels": labels, "failed_inputs": failed}


def spilled_summary(summary: Document) -> SpilledItem:
    item: Item = {"PK": "u", "SK": "SUMMARY#000001", "digest": "d" * 64, "summary": summary}
    return spill(item, "0123456789abcdef", 2000, FIRST_KEYS)


@pytest.mark.parametrize(("seed", "sha256"), list(enumerate(GOLDEN)))
def test_items_are_those_of_the_release_before(seed: int, sha256: str) -> None:
    """A controller of that release may have written some parts of a summary; this one writes the others."""
    document = a_summary(seed)
    before = json.dumps(document)
    for value in (document, as_columns(document)):
        spilled = spilled_summary(value)
        words = json.dumps(list(spilled.all), sort_keys=True, default=list)
        assert hashlib.sha256(words.encode()).hexdigest().startswith(sha256)
        head = spilled.head | {"digest": "0123456789abcdef"}
        (joined,) = join_items([head, *spilled.parts])
        assert joined["summary"] == document
    assert json.dumps(document) == before, "what is stored stays as it was"


def test_thousands_of_parts_come_back_in_their_order() -> None:
    document: Item = {"PK": "u", "SK": "S", "digest": "abc", "values": list(range(10**6, 10**6 + 40_000))}
    spilled = spill(document, "abc", 300)
    assert len(spilled.parts) > 1200
    (joined,) = join_items(sorted(spilled.all, key=lambda one: str(one["SK"])))
    assert joined == document
