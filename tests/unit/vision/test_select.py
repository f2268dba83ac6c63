from __future__ import annotations

import numpy as np
import pytest

from videojob.errors import ManifestError
from videojob.vision.select import class_ids, keep_classes
from videojob.vision.tensors import Detections

LABELS = ("person", "car", "dog")


def detections(*classes: int, tracks: list[int] | None = None) -> Detections:
    count = len(classes)
    return Detections(
        boxes=np.arange(4 * count, dtype=np.float32).reshape(count, 4),
        scores=np.linspace(0.9, 0.5, count, dtype=np.float32),
        class_ids=np.array(classes, np.int32),
        track_ids=None if tracks is None else np.array(tracks, np.int32),
    )


def test_labels_become_ascending_ids_once_each() -> None:
    assert class_ids(LABELS, ["dog", "person", "dog"]) == (0, 2)


def test_no_label_asks_for_every_class() -> None:
    found = detections(0, 2)
    assert class_ids(LABELS, []) == ()
    assert keep_classes(found, ()) is found


def test_an_unknown_label_is_named_with_those_there_are() -> None:
    with pytest.raises(ManifestError, match="no class 'cat', 'van'") as caught:
        class_ids(LABELS, ["van", "dog", "cat"])
    assert "person, car, dog" in caught.value.hint


def test_only_the_wanted_classes_stay_with_all_that_belongs_to_them() -> None:
    kept = keep_classes(detections(0, 1, 2, 1, tracks=[5, 6, 7, 8]), (1,))
    assert kept.class_ids.tolist() == [1, 1]
    assert kept.boxes[:, 0].tolist() == [4, 12]
    assert kept.track_ids is not None
    assert kept.track_ids.tolist() == [6, 8]


def test_detections_whose_parts_differ_in_length_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="do not fit 2 scores"):
        Detections(np.zeros((1, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int32))
