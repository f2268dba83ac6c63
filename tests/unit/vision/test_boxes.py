from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob.vision.boxes import Floats, Ints, best_first, corners, overlaps, suppress


def greedy(boxes: Floats, class_ids: Ints, iou: float) -> list[bool]:
    """The textbook's loop, to compare with."""
    shares = overlaps(boxes)
    kept: list[int] = []
    for place in range(len(boxes)):
        if not any(class_ids[other] == class_ids[place] and shares[other, place] > np.float32(iou) for other in kept):
            kept.append(place)
    return [place in kept for place in range(len(boxes))]


def test_corners_of_a_centre_and_a_size() -> None:
    assert corners(np.array([[10, 20]], np.float32), np.array([[4, 6]], np.float32)).tolist() == [[8, 17, 12, 23]]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 1 / 3),
        ((10, 0, 20, 10), 0.0),  # touching
        ((30, 30, 40, 40), 0.0),
        ((2, 2, 7, 7), 0.25),  # inside
        ((4, 4, 4, 4), 0.0),  # a point
    ],
)
def test_overlap_is_intersection_over_union(other: tuple[int, ...], expected: float) -> None:
    boxes = np.array([(0, 0, 10, 10), other], np.float32)
    assert overlaps(boxes)[0, 1] == pytest.approx(expected)
    assert overlaps(boxes)[1, 0] == pytest.approx(expected)


def test_boxes_without_area_do_not_overlap_even_themselves() -> None:
    assert overlaps(np.zeros((2, 4), np.float32)).tolist() == [[0, 0], [0, 0]]


def test_a_dropped_box_drops_nothing_itself() -> None:
    # Each overlaps the next: the second falls to the first, so the third stays.
    chain = np.array([(0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10), (12, 0, 22, 10)], np.float32)
    assert suppress(chain, np.zeros(4, np.int32), 0.3).tolist() == [True, False, True, False]


def test_boxes_of_other_classes_stay() -> None:
    same = np.array([(0, 0, 10, 10)] * 3, np.float32)
    assert suppress(same, np.array([0, 1, 0], np.int32), 0.5).tolist() == [True, True, False]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_suppress(count: int) -> None:
    assert suppress(np.zeros((count, 4), np.float32), np.zeros(count, np.int32), 0.5).tolist() == [True] * count


@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9]), st.integers(1, 3))
def test_suppression_is_the_greedy_one(count: int, seed: int, iou: float, classes: int) -> None:
    random = np.random.default_rng(seed)
    low = random.uniform(0, 40, (count, 2))
    boxes = np.concatenate([low, low + random.uniform(0, 30, (count, 2))], axis=1).astype(np.float32)
    class_ids = random.integers(0, classes, count).astype(np.int32)
    assert suppress(boxes, class_ids, iou).tolist() == greedy(boxes, class_ids, iou)


def test_order_is_by_score_then_box_then_class_whatever_the_order_before() -> None:
    boxes = np.array([(1, 0, 2, 2), (0, 0, 2, 2), (0, 0, 2, 2), (5, 5, 6, 6)], np.float32)
    scores = np.array([0.5, 0.5, 0.5, 0.9], np.float32)
    class_ids = np.array([0, 1, 0, 3], np.int32)
    expected = [3, 2, 1, 0]
    assert best_first(boxes, scores, class_ids).tolist() == expected
    for seed in range(5):
        shuffle = np.random.default_rng(seed).permutation(4)
        order = best_first(boxes[shuffle], scores[shuffle], class_ids[shuffle])
        assert shuffle[order].tolist() == expected
