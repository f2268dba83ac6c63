"""Whoever names a file commands neither the terminal nor the log of the person who runs videojob on it."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command import TIMEOUT_S, Finished, command_line, manifest, videojob
from support.samples import sample_path

FOLDER = "x["  # with the file's name: "x[/y]…", which is markup that closes nothing
HOSTILE = "y]\x1b]0;owned\x07\x1b[2J\x9b2J[h264] :fire: \u202e\nCompleted.mp4"
SHOWN = r"x[/y]\x1b]0;owned\x07\x1b[2J\x9b2J[h264] :fire: \u202e\x0aCompleted.mp4"
NOT_UTF8 = b"caf\xe9.mp4"
FOREIGN_ESCAPE = re.compile(rb"\x1b(?!\[[0-9;?]*[mKAhl])")  # what the live view itself sends: colours, lines, cursor


@dataclass(frozen=True, slots=True)
class Shown:
    """What a terminal was sent."""

    code: int
    data: bytes


def in_a_terminal(*arguments: str | Path) -> Shown:
    """Runs the command with a terminal of 400 columns for all its output."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "400", "TERM": "xterm-256color"}
    with subprocess.Popen(command_line(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as run:
        os.close(theirs)
        try:
            data = read_to_the_end(ours)
        finally:
            os.close(ours)
        return Shown(run.wait(timeout=TIMEOUT_S), data)


def read_to_the_end(terminal: int) -> bytes:
    data = bytearray()
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux's word for: nobody has the other end any more
                raise
            return bytes(data)
        if not chunk:
            return bytes(data)
        data += chunk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    (folder / FOLDER).mkdir()
    shutil.copyfile(sample_path("carphone.mp4"), folder / FOLDER / HOSTILE)
    shutil.copyfile(sample_path("carphone.mp4"), os.fsencode(folder / FOLDER) + b"/" + NOT_UTF8)
    return folder


@pytest.fixture(scope="module")
def output(folder: Path) -> Path:
    return folder / "out"


@pytest.fixture(scope="module")
def shown(folder: Path, output: Path) -> Shown:
    return in_a_terminal("run", manifest(folder, FOLDER, sampling={"everyNthFrame": 60}), "--output", output)


@pytest.fixture(scope="module", params=["table", "csv", "json"])
def results(shown: Shown, output: Path, request: pytest.FixtureRequest) -> Finished:
    done = videojob("results", "job", "--output", output, "--format", request.param)
    assert done.code == 0, done.err
    return done


def test_the_run_ends_well_but_for_the_name_that_is_not_utf8(shown: Shown) -> None:
    assert shown.code == 3, shown.data.decode(errors="replace")
    assert b"PartiallyCompleted" in shown.data
    assert rb"x[/caf\xe9.mp4: InputInvalid: the file's name is not UTF-8 text" in shown.data


def test_the_terminal_gets_no_escape_but_our_own(shown: Shown) -> None:
    assert FOREIGN_ESCAPE.findall(shown.data) == []
    assert b"\x07" not in shown.data
    text = shown.data.decode()
    assert {"\u202e", "\x9b", "\U0001f525"}.isdisjoint(text)


def test_the_name_is_shown_with_its_brackets_and_escapes_written_out(shown: Shown) -> None:
    assert SHOWN[-39:] in shown.data.decode()


def test_results_hold_no_control_character(results: Finished) -> None:
    assert results.err == ""
    assert all(character.isprintable() for character in results.out.replace("\n", ""))


def test_scripts_get_the_exact_name_in_plain_ascii(shown: Shown, output: Path) -> None:
    done = videojob("results", "job", "--output", output, "--format", "json")
    assert done.out.isascii()
    summary = json.loads(done.out)
    assert [video["uri"] for video in summary["videos"]] == [f"{FOLDER}/{HOSTILE}"]
    assert [(item["uri"], item["error"]["reason"]) for item in summary["failed_inputs"]] == [
        (rf"{FOLDER}/caf\xe9.mp4", "InputInvalid")
    ]


def test_csv_has_one_line_per_row_whatever_the_name_holds(shown: Shown, output: Path) -> None:
    done = videojob("results", "job", "--output", output, "--format", "csv")
    header, *rows = done.out.splitlines()
    assert header.startswith("video,uri,")
    assert rows
    assert all(SHOWN in row for row in rows)


def test_the_report_is_written(shown: Shown, output: Path) -> None:
    assert videojob("report", "job", "--output", output).out == f"{output}/report.html\n"


def test_json_keeps_what_looks_like_an_emoji_code(tmp_path: Path) -> None:
    done = videojob("run", manifest(tmp_path, "./clip:fire:[red]x.mp4"), "--output", tmp_path / "out", "--json")
    assert done.code == 1
    assert done.out.isascii()
    assert done.document["failed_inputs"][0]["uri"] == "./clip:fire:[red]x.mp4"
