"""What was found in an odd video against its truth: each kind of difference is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from bench.odd_videos import outside
from bench.odd_videos.cases import Case, Found, Gap, Interval, Refused, Shown, Truth
from bench.odd_videos.compare import judge
from bench.odd_videos.finder import LABELS, finder
from bench.odd_videos.scene import SIZE, boxes, draw, shown

TRUE = shown(numbers=range(20, 32))
DAMAGED = shown(numbers=range(20, 32), has_gaps=True)
SOUND = Found(frames=12, presence=TRUE.presence or {}, boxes=TRUE.pictures or {})
GAP = Gap(960, 1040, "a packet is damaged")


def differences(truth: Truth, found: Found) -> str:
    case = Case("kind", "clip.mp4", "odd", lambda path: path, truth)
    return "; ".join(judge(case, found).differences)


def without(*times_ms: int) -> Found:
    left = {time_ms: one for time_ms, one in SOUND.boxes.items() if time_ms not in times_ms}
    return replace(SOUND, boxes=left, frames=len(left))


def test_what_is_as_it_should_be_has_no_difference() -> None:
    assert differences(TRUE, SOUND) == ""
    late = {time_ms + 1: one for time_ms, one in SOUND.boxes.items()}
    assert differences(TRUE, replace(SOUND, boxes=late)) == "", "containers round"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (without(1000), "11 frames, not 12"),
        (without(1000), "1 pictures that are lost in silence: 1000 ms"),
        (replace(SOUND, boxes={**SOUND.boxes, 1010: boxes(25)}), "1 pictures at times that none has: 1010 ms"),
        (replace(SOUND, boxes={**SOUND.boxes, 1000: boxes(24)}), "1 pictures with other boxes: 1000 ms"),
        (replace(SOUND, gaps=(GAP,)), "a gap where nothing is lost"),
        (replace(SOUND, presence={}), "white is present 0 times, not 1"),
        (replace(SOUND, presence={**SOUND.presence, "red": (Interval(1200, 1300),)}), "red from 1200 to 1300 ms"),
        (Found(error=("InputCorrupt", "a packet is damaged")), "it was refused"),
    ],
)
def test_each_difference_is_named(found: Found, words: str) -> None:
    assert words in differences(TRUE, found)


def test_of_a_damaged_file_each_picture_counts_or_lies_in_a_gap() -> None:
    assert differences(DAMAGED, replace(without(960, 1000), gaps=(GAP,))) == ""
    assert "lost in silence: 920 ms" in differences(DAMAGED, replace(without(920, 960, 1000), gaps=(GAP,)))
    assert "count inside a gap: 1000 ms" in differences(DAMAGED, replace(without(960), gaps=(GAP,)))
    assert "no gap is named" in differences(DAMAGED, without(960))


def test_a_refusal_needs_its_reason_and_its_words() -> None:
    error = Found(error=("InputNotVideo", "the file is a Dahua recording. Convert it: `ffmpeg`"))
    assert differences(Refused("InputNotVideo", ("Dahua", "ffmpeg")), error) == ""
    assert "not InputCorrupt" in differences(Refused("InputCorrupt"), error)
    assert "does not say: GIF" in differences(Refused(None, ("GIF",)), error)
    assert differences(Refused(None), SOUND) == "it was not refused"


def test_a_notice_must_be_given() -> None:
    truth = replace(TRUE, notice="left out: stream 1")
    assert differences(truth, replace(SOUND, notices=("a further video stream is left out: stream 1",))) == ""
    assert "no notice says" in differences(truth, SOUND)


def test_the_finder_finds_each_rectangle_where_it_was_drawn() -> None:
    session = onnxruntime.InferenceSession(finder().SerializeToString(), providers=["CPUExecutionProvider"])
    numbers = range(0, 75, 7)
    pictures = np.stack([draw(number, SIZE) for number in numbers]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    (found,) = session.run(None, {"images": pictures})
    for number, rows in zip(numbers, found, strict=True):
        got = {LABELS[int(row[5])]: tuple(row[:4].tolist()) for row in rows if row[4] > 0.5}
        assert got == boxes(number)


def test_a_folder_of_others_says_what_is_true_of_its_files(tmp_path: Path) -> None:
    truths = {
        "square.webm": {
            "frames": 5,
            "presence": {"white": [{"first_ms": 0, "last_ms": 160, "shape": "a square"}]},
            "note": "",
        },
        "cut.mp4": {"frames": 9, "presence": None, "note": "a refusal is tolerated", "gap": True},
        "export.dav": {"frames": 0, "note": "a clear refusal"},
    }
    (tmp_path / "truth.json").write_text(json.dumps(truths))
    square, cut, export = outside.cases(tmp_path)
    assert square.truth == Shown(5, {"white": (Interval(0, 160, is_square=True),)})
    assert cut.truth == Shown(9, has_gaps=True, may_be_refused=True)
    assert export.truth == Refused(None)
    oblong = Found(frames=5, presence={"white": (Interval(0, 160, (0, 0, 30, 40)),)})
    assert "not a square" in differences(square.truth, oblong)
