"""The catalogue as it is kept: bounded, exported, imported; no bad file is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from videojob.planning.throughput.book import (
    MOST_BYTES,
    MOST_SUBJECTS,
    SCHEMA,
    Book,
    NotACatalogue,
    Series,
    parse,
    text_of,
)
from videojob.planning.throughput.learn import KEPT
from videojob.planning.throughput.measured import Quantity, Subject

YOLO = Subject(Quantity.REPLICA, "sha256:" + "a" * 64, 409_600, "t4", "tensorrt", 16)
DECODE = Subject(Quantity.DECODE, "h264", 2_073_600, "c7i")
NODE = Subject(Quantity.NODE, "", 0, "t4")
BOOK = Book(
    {
        YOLO: Series((400.0, 410.5), 1_700_000_000, "yolo"),
        DECODE: Series((105.0,), 1_700_000_001),
        NODE: Series((61.0,), 5),
    }
)


def row(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(text_of(Book({YOLO: BOOK.series[YOLO]})))["measured"][0]
    return whole | changes


def text(*rows: Any, **changes: Any) -> str:
    return json.dumps({"schema": SCHEMA, "measured": list(rows)} | changes)


def test_what_was_kept_is_read_back() -> None:
    assert parse(text_of(BOOK)) == BOOK
    assert parse(text_of(Book())) == Book()


def test_a_figure_is_made_of_all_samples() -> None:
    decode, node, yolo = BOOK.measurements()
    assert (decode.subject, node.subject, yolo.subject) == (DECODE, NODE, YOLO)
    assert yolo.mean == pytest.approx(405.2, rel=0.01)
    assert (yolo.samples, yolo.name) == (2, "yolo")


def test_the_newest_samples_are_kept_and_the_subjects_measured_last() -> None:
    book = BOOK
    for at in range(20):
        book = book.adding({YOLO: ("", [float(at + 1)] * 8)}, at)
    assert book.series[YOLO] == Series(
        tuple(float(at) for at in range(16, 21) for _ in range(8)), 1_700_000_000, "yolo"
    )
    many = {Subject(Quantity.DECODE, "h264", pixels, "c7i"): ("", [1.0]) for pixels in range(1, MOST_SUBJECTS + 1)}
    full = book.adding(many, 1_800_000_000)
    assert len(full.series) == MOST_SUBJECTS
    assert NODE not in full.series
    assert len(text_of(full).encode()) < MOST_BYTES


def test_the_largest_book_that_is_kept_can_be_read() -> None:
    digests = (f"sha256:{number:064d}" for number in range(MOST_SUBJECTS))
    every = {
        Subject(Quantity.REPLICA, digest, 409_600, "a10g", "onnxruntime", 16): ("x" * 63, [123.456] * KEPT)
        for digest in digests
    }
    book = Book().adding(every, 1_800_000_000)
    assert len(text_of(book)) < MOST_BYTES
    assert parse(text_of(book)) == book


def test_samples_that_cannot_be_are_not_kept() -> None:
    bad = [0.0, -1.0, float("inf"), float("nan"), 1e9]
    assert Book().adding({YOLO: ("yolo", bad)}, 1) == Book()
    assert Book().adding({YOLO: ("yolo", [*bad, 7.0])}, 1).series[YOLO].values == (7.0,)


def test_two_books_become_one_that_keeps_the_newer_samples() -> None:
    older = Book({YOLO: Series((1.0,) * KEPT, 1), NODE: Series((50.0,), 9)})
    merged = older.merged(Book({YOLO: Series((2.0,) * 10, 2, "yolo")}))
    assert merged.series[YOLO] == Series((1.0,) * (KEPT - 10) + (2.0,) * 10, 2, "yolo")
    assert merged == Book({YOLO: Series((2.0,) * 10, 2, "yolo")}).merged(older)
    assert merged.of_models(["sha256:other"]).series.keys() == {NODE}
    assert merged.of_models([YOLO.of]) == merged


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("", "it is not JSON"),
        ("<html></html>", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a catalogue of speeds"),
        ("{}", "it is not a catalogue of speeds"),
        (text(schema="videojob.dev/speeds/v9"), '"schema" is not "videojob.dev/speeds/v1"'),
        (text(measured={}), '"measured" is not a list'),
        (text(1), "row 1: it is not an object"),
        (text(row(), row(values=[-1.0], at=1)), "row 2: -1 frames/s cannot be: 0.001 to 1e+06 are taken"),
        (text(row(values=[0])), "row 1: 0 frames/s cannot be"),
        (text(row(values=[float("inf")])), "row 1: inf is not a number of frames/s"),
        (text(row(values=[float("nan")])), "row 1: nan is not a number of frames/s"),
        (text(row(values=[1e300])), "row 1: 1e+300 frames/s cannot be"),
        (text(row(quantity="node", values=[1e6])), r"row 1: 1e\+06 s cannot be"),
        (text(row(values=["400"])), "row 1: '400' is not a number of frames/s"),
        (text(row(values=[True])), "row 1: True is not a number"),
        (text(row(values=[])), "row 1: values is not a list of 1 to 40 numbers"),
        (text(row(values=[1] * 41)), "row 1: values is not a list of 1 to 40 numbers"),
        (text(row(quantity="speed")), "row 1: 'speed' is none of replica, decode"),
        (text(row(quantity=[])), r"row 1: \[\] is none of"),
        (text(row(hardware="")), "row 1: hardware is empty"),
        (text(row(hardware="x" * 1000)), "row 1: hardware is not a word of at most 128 characters"),
        (text(row(of="\x1b[2J")), "row 1: of is not a word"),
        (text(row(of="")), "row 1: a speed needs what it is of, and pixels"),
        (text(row(pixels=-1)), "row 1: pixels is not a whole number from 0"),
        (text(row(at=10**30)), "row 1: at is not a whole number from 0"),
        (text({"quantity": "replica"}), "row 1: 'of' is missing"),
        (text(row(), row()), "row 2: another row has the same subject"),
        (text(*[1] * 401), "it has 401 rows, and a catalogue has 400 at most"),
        (text(*[row()] * 1_000_000), "it has 2[0-9,]+ characters, and a catalogue has 700,000 at most"),
    ],
)
def test_a_bad_file_is_rejected_with_the_reason(bad: str, message: str) -> None:
    with pytest.raises(NotACatalogue, match=message.replace("1e+3", r"1e\+3").replace("1e+06 are", r"1e\+06 are")):
        parse(bad)
