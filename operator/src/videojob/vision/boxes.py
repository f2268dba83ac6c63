"""Box arithmetic that all decoders share: suppression and order. Vectorised; no loop per box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def corners(centres: Floats, sizes: Floats) -> Floats:
    """(N, 2) centres and (N, 2) sizes -> (N, 4) corners (x_min, y_min, x_max, y_max)."""
    half = sizes * np.float32(0.5)
    return np.concatenate([centres - half, centres + half], axis=1)


def overlaps(boxes: Floats) -> Floats:
    """(N, 4) corners -> (N, N) intersection over union; 0 between boxes without area."""
    # Axis by axis: an (N, N, 2) array in between would be four times slower to work through.
    x_min, y_min, x_max, y_max = np.ascontiguousarray(boxes.T)
    common = np.maximum(np.minimum.outer(x_max, x_max) - np.maximum.outer(x_min, x_min), 0)
    common *= np.maximum(np.minimum.outer(y_max, y_max) - np.maximum.outer(y_min, y_min), 0)
    areas = np.maximum(x_max - x_min, 0) * np.maximum(y_max - y_min, 0)
    union = areas[:, None] + areas[None, :] - common
    shares: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def suppress(boxes: Floats, class_ids: Ints, iou: float) -> NDArray[np.bool_]:
    """Greedy non-maximum suppression within each class.

    A box goes when a kept box before it, of its class, overlaps it by more than `iou`. Which boxes are kept depends on
    earlier boxes only, so the rule has exactly one solution; repeating it over all boxes at once reaches that solution
    in as many rounds as the longest chain of boxes that decide on one another (two or three, in practice).

    Args:
        boxes: (N, 4) corners, best first.
        class_ids: (N,).
        iou: 0..1.

    Returns:
        (N,) which boxes stay.
    """
    keep = np.ones(len(boxes), bool)
    if len(boxes) < 2:
        return keep
    decides = np.triu(overlaps(boxes) > iou, 1) & (class_ids[:, None] == class_ids[None, :])
    while True:
        after = ~decides[keep].any(axis=0)
        if np.array_equal(after, keep):
            return keep
        keep = after


def best_first(boxes: Floats, scores: Floats, class_ids: Ints) -> NDArray[np.intp]:
    """(N,) the order of results: score descending, then box and class, so that ties fall the same way everywhere."""
    order: NDArray[np.intp] = np.lexsort((class_ids, boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], -scores))
    return order
