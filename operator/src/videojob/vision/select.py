"""Which of a frame's boxes a job asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videojob.errors import ManifestError
from videojob.vision.tensors import Detections


def class_ids(labels: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """The model's class ids of the asked-for labels, ascending; empty when all classes are asked for.

    Raises:
        ManifestError: a class that the model does not know; the hint names those it does.
    """
    unknown = sorted(set(classes) - set(labels))
    if unknown:
        known = ", ".join(labels) or "none"
        raise ManifestError(
            f"the model has no class {', '.join(map(repr, unknown))}", hint=f"Its classes are: {known}."
        )
    return tuple(sorted(labels.index(name) for name in set(classes)))


def keep_classes(found: Detections, chosen: Sequence[int]) -> Detections:
    """The boxes of the wanted class ids; all of them when `chosen` is empty."""
    if not chosen or not len(found):
        return found
    keep = np.isin(found.class_ids, chosen)
    tracks = None if found.track_ids is None else found.track_ids[keep]
    return Detections(found.boxes[keep], found.scores[keep], found.class_ids[keep], tracks)
