"""`videojob speeds import`: which files are taken, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.fake_cluster import FakeCluster
from videojob.cli.cluster.speeds import Where, imported, read_book
from videojob.errors import SetupError, UsageError
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import SPEEDS, SPEEDS_KEY
from videojob.kube.speeds import book_of
from videojob.planning.throughput.book import SCHEMA, Book, Series, text_of
from videojob.planning.throughput.measured import Quantity, Subject

BOOK = Book({Subject(Quantity.DECODE, "h264", 174_080, "c7i"): Series((900.0,), 1_700_000_000)})


def test_what_was_exported_is_read(tmp_path: Path) -> None:
    (tmp_path / "speeds.json").write_text(text_of(BOOK))
    assert read_book(tmp_path / "speeds.json") == BOOK


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "it is not text"),
        (b"\x89PNG\r\n", "it is not text"),
        (b"", "it is not JSON"),
        (b"<html>", "it is not JSON"),
        (b'{"schema": "another"}', "it is not a catalogue of speeds"),
        (text_of(BOOK).replace("900.0", "-900.0").encode(), "row 1: -900 frames/s cannot be"),
        (text_of(BOOK).replace("900.0", "1e999").encode(), "row 1: inf is not a number of frames/s"),
        (text_of(BOOK).replace("900.0", "1e30").encode(), "row 1: 1e\\+30 frames/s cannot be"),
        (json.dumps({"schema": SCHEMA, "measured": [{}] * 10**6}).encode(), "at most"),
    ],
)
def test_a_file_that_is_no_catalogue(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "speeds.json").write_bytes(content)
    with pytest.raises(UsageError, match=rf"speeds.json is not taken: .*{message}"):
        read_book(tmp_path / "speeds.json")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_book(tmp_path / "none.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_book(tmp_path)


YOLO = Subject(Quantity.REPLICA, "sha256:1", 409_600, "t4", "tensorrt", 16)
BOTH = Book({**BOOK.series, YOLO: Series((400.0,), 1_700_000_000, "yolo")})


def test_figures_of_a_model_that_is_not_installed_are_left_out_by_name() -> None:
    cluster = FakeCluster()
    words = imported(cluster, Where("system", ("sha256:other",)), BOTH)
    assert words == (
        "1 figure imported into system/videojob-speeds.\n1 figure left out: this installation does not have yolo."
    )
    assert book_of(cluster.get(CONFIG_MAPS, "system", SPEEDS)) == BOOK
    assert imported(cluster, Where("system", None), BOTH) == "2 figures imported into system/videojob-speeds."
    assert book_of(cluster.get(CONFIG_MAPS, "system", SPEEDS)).series[YOLO].values == (400.0,)


def test_nothing_is_written_when_nothing_fits_or_what_is_there_is_no_catalogue() -> None:
    cluster = FakeCluster()
    with pytest.raises(UsageError, match="nothing for this installation, which does not have yolo"):
        imported(cluster, Where("system", ()), Book({YOLO: BOTH.series[YOLO]}))
    assert cluster.names(CONFIG_MAPS) == []
    cluster.put(CONFIG_MAPS, {"metadata": {"name": SPEEDS, "namespace": "system"}, "data": {SPEEDS_KEY: "none"}})
    with pytest.raises(SetupError, match="system/videojob-speeds has no catalogue of speeds: it is not JSON"):
        imported(cluster, Where("system", None), BOTH)
