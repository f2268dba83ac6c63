"""What is shown to a person can be read by a person, and does nothing else to the terminal."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from videojob.errors import InputNotFound, ServerStartFailed, VideoJobError, error_from_dict
from videojob.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07.mp4", r"\x1b]0;title\x07.mp4"),
        ("\x1b[2J.mp4", r"\x1b[2J.mp4"),
        ("\x9b2J", r"\x9b2J"),  # the C1 form of ESC [
        ("a\r\nCompleted", r"a\x0d\x0aCompleted"),
        ("tab\t, delete\x7f, nul\0", r"tab\x09, delete\x7f, nul\x00"),
        ("\u202e4pm.exe", r"\u202e4pm.exe"),  # right-to-left override
        ("\u2066a\u2069\u200f\u061c", r"\u2066a\u2069\u200f\u061c"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("caf\udce9.mp4", r"caf\xe9.mp4"),  # a byte that is not UTF-8
        ("\ud800", r"\ud800"),
    ],
)
def test_what_acts_on_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["", "Ünïcode/日本語\u3000録画.mp4", "🔥.mp4", "[red]x[/red]", ":fire:", "C:\\x1b\\clip.mp4", "a\u00a0b"]
)
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_nothing_of_unicode_comes_through_that_acts() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {unicodedata.category(character) for character in printable(everything)}
    assert left.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_showing_twice_is_showing_once() -> None:
    once = printable("a\\b\x1b\u202e\udcff")
    assert printable(once) == once


def test_a_character_can_be_kept() -> None:
    assert printable("a\n\x1bb", keep="\n") == "a\n\\x1bb"


def test_an_error_shows_no_control_character_of_its_parts() -> None:
    error = InputNotFound("no \x1b[2J", uri="s3://b/\u202ekey", hint="Look at \x07.")
    assert str(error) == (r"InputNotFound: no \x1b[2J (s3://b/\u202ekey). Look at \x07. (not retryable)")


def test_no_line_of_an_error_can_pass_for_a_line_of_its_own() -> None:
    lines = str(ServerStartFailed("the end of its log:\none\nInputNotFound: two", hint="Look.")).splitlines()
    assert lines[1:] == ["    one", "    InputNotFound: two. Look. (not retryable)"]


def test_an_error_keeps_its_exact_words_for_scripts() -> None:
    error = InputNotFound("no \x1b[2J", uri="\u202ekey")
    again = error_from_dict(json.loads(json.dumps(error.as_dict())))
    assert (again.message, again.uri) == ("no \x1b[2J", "\u202ekey")


def test_an_ordinary_error_reads_as_before() -> None:
    error = VideoJobError("it broke", uri="clip.mp4", segment=3, time_ms=1500, retryable=True, hint="")
    assert str(error) == "InternalError: it broke (clip.mp4, segment 3, at 1.500 s). (retryable)"
