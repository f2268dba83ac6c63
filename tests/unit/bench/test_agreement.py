"""Comparing the boxes of two ways of doing the same work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.agreement import FrameBoxes, compare, load, save


def boxes(*rows: tuple[float, float, float, float, float]) -> FrameBoxes:
    return np.array(rows, np.float32).reshape(-1, 5)


FACE = (10.0, 10.0, 30.0, 30.0, 0.8)


@pytest.mark.parametrize(
    ("theirs", "equal", "same"),
    [
        (boxes(FACE), 1, 1),
        (boxes((10.0, 10.0, 30.0, 30.5, 0.805)), 1, 1),
        (boxes((10.0, 10.0, 30.0, 30.0, 0.7)), 0, 1),
        (boxes((12.0, 12.0, 32.0, 32.0, 0.8)), 0, 1),
        (boxes((60.0, 60.0, 80.0, 80.0, 0.8)), 0, 0),
        (boxes((30.0, 30.0, 30.0, 30.0, 0.8)), 0, 0),
        (boxes(), 0, 0),
    ],
    ids=["itself", "a hair larger", "other score", "shifted", "elsewhere", "no area", "nothing"],
)
def test_a_box_is_equal_by_overlap_and_score_and_the_same_face_by_overlap(
    theirs: FrameBoxes, equal: int, same: int
) -> None:
    found = compare([boxes(FACE)], [theirs])

    assert (found.equal, found.same) == (equal, same)


def test_no_box_stands_for_two() -> None:
    found = compare([boxes(FACE, FACE)], [boxes(FACE)])

    assert (found.equal, found.equal_share) == (1, 0.5)


def test_frames_are_compared_one_by_one_as_many_as_both_have() -> None:
    found = compare([boxes(FACE), boxes(), boxes(FACE)], [boxes(), boxes(FACE)])

    assert (found.frames, found.ours, found.theirs, found.same) == (2, 1, 1, 0)


def test_two_empty_lists_agree_wholly() -> None:
    found = compare([boxes()], [boxes()])

    assert (found.equal_share, found.same_share) == (1.0, 1.0)
    assert "100.0%" in found.text()


@pytest.mark.parametrize("frames", [[], [boxes()], [boxes(FACE, FACE), boxes(), boxes(FACE)]])
def test_boxes_come_back_from_a_file_frame_by_frame(tmp_path: Path, frames: list[FrameBoxes]) -> None:
    save(tmp_path / "boxes.npz", frames)

    read = load(tmp_path / "boxes.npz")

    assert [frame.tolist() for frame in read] == [frame.tolist() for frame in frames]
