from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.results import planned, segment_result
from support.tree import ROOT
from videojob.results.aggregate.document import (
    Document,
    items,
    mapping,
    result_document,
    result_from_document,
    text,
    timings_document,
    timings_from_document,
    whole,
)
from videojob.results.aggregate.segment_results import Gap, SegmentResult, SegmentTimings, ServerWork, TrackSpan
from videojob.results.stored.codec import canonical, decode, digest, encode, parse
from videojob.results.stored.summary_codec import summary_document, summary_from_document

BOX = (1, 2, 3, 4)
RESULTS = [
    segment_result(planned()[0], windows=0),
    segment_result(planned()[1]),
    segment_result(planned()[2], tracks=(TrackSpan(1, 0, 5, 6, BOX, (5, 6, 7, 8)),), gaps=(Gap(1, 2, "InputCorrupt"),)),
]

_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("result", RESULTS)
def test_decode_is_the_inverse_of_encode(result: SegmentResult) -> None:
    assert decode(encode(result)) == result


def test_bytes_are_compact_sorted_utf8_json() -> None:
    assert canonical({"b": [1, None, True], "a": "ü", "c": {}}) == '{"a":"ü","b":[1,null,true],"c":{}}'.encode()


@given(_documents)
def test_canonical_form_is_a_fixed_point(document: Document) -> None:
    data = canonical(document)
    assert canonical(parse(data)) == data
    assert parse(data) == document


def test_digest_is_pinned() -> None:
    """Changes only with the stored format; then tables written before are read as other results."""
    assert digest(RESULTS[1]) == "1d3a906728f809d558d477bfe88d8f6678df3f346caa9d2b9b34d5c8687de465"


def test_digest_differs_for_every_difference() -> None:
    result = RESULTS[2]
    others = [
        replace(result, frames_decoded=1),
        replace(result, end_pts=5),
        replace(result, gaps=()),
        replace(result, tracks=()),
        replace(result, presence=result.presence[1:]),
        replace(result, windows=result.windows[1:]),
    ]
    assert len({digest(one) for one in (result, *others)}) == 1 + len(others)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"segment":1.5}', b'{"segment":NaN}', b'"x"'])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(data)


def test_floats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"whole numbers only, found 1\.5"):
        parse(b"[1.5]")


def test_columns_of_different_lengths_are_refused() -> None:
    broken = encode(RESULTS[1]).replace(b'"window":[2,3]}', b'"window":[2]}')
    assert broken != encode(RESULTS[1])
    with pytest.raises(ValueError, match="zip"):
        decode(broken)


def test_timings_survive_to_the_microsecond() -> None:
    timings = SegmentTimings(1.5, 0.25, 0.125, 0.000001, 0.1, 0.2, 0.3, 3.0, retries=2, peak_rss_bytes=10**9)
    assert timings_from_document(timings_document(timings)) == timings


def test_what_the_server_did_survives_and_older_commits_lack_it() -> None:
    work = ServerWork(9.5, 40, 600, 9_600, 1.44, 23.04, 16, 2, 184_320, "c7i.xlarge")
    document = timings_document(SegmentTimings(wall_s=1.5, server=work))
    assert timings_from_document(document).server == work
    assert len(canonical(document["server"])) < 80
    del document["server"]
    assert timings_from_document(document) == SegmentTimings(wall_s=1.5)
    assert "server" not in timings_document(SegmentTimings(wall_s=1.5))


def test_a_time_that_was_not_measured_when_it_was_stored_is_zero() -> None:
    document = timings_document(SegmentTimings(wall_s=1.5, decode_wait_s=3.0))
    del document["decode_wait_us"]
    assert timings_from_document(document) == SegmentTimings(wall_s=1.5)


@pytest.mark.parametrize(
    ("check", "value"), [(whole, "1"), (whole, None), (text, 1), (mapping, [1]), (items, "abc"), (items, 1)]
)
def test_value_of_another_type_is_named(check: object, value: Document) -> None:
    assert callable(check)
    with pytest.raises(TypeError, match="expected a"):
        check(value)


def test_missing_list_reads_as_empty() -> None:
    assert list(items(None)) == []


def _examples() -> list[str]:
    page = ROOT / "docs/reference/results.md"
    return re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)


def test_documented_examples_are_readable() -> None:
    summary, segment = (mapping(parse(example.encode())) for example in _examples())
    assert summary_document(summary_from_document(summary)) == summary
    assert result_document(result_from_document(segment)) == segment
