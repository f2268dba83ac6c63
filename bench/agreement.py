"""Do two ways of doing the same work find the same boxes? Pure, but for `save` and `load`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EQUAL_IOU = 0.9
EQUAL_SCORE = 0.01
SAME_IOU = 0.5

FrameBoxes = NDArray[np.float32]
"""(N, 5): x_min, y_min, x_max, y_max in source pixels, score."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two lists of frames compare.

    Attributes:
        frames: compared.
        ours, theirs: boxes in them.
        equal: pairs at IoU >= 0.9 whose scores differ by no more than 0.01.
        same: pairs at IoU >= 0.5: the same face, framed otherwise because another resizer made other pixels.
    """

    frames: int
    ours: int
    theirs: int
    equal: int
    same: int

    @property
    def equal_share(self) -> float:
        """Of the longer list; 1 when there is nothing to find."""
        return self.equal / max(self.ours, self.theirs) if max(self.ours, self.theirs) else 1.0

    @property
    def same_share(self) -> float:
        """Of the longer list; 1 when there is nothing to find."""
        return self.same / max(self.ours, self.theirs) if max(self.ours, self.theirs) else 1.0

    def text(self) -> str:
        """For the table."""
        return f"boxes equal {self.equal_share:.1%}, same face {self.same_share:.1%} of {max(self.ours, self.theirs)}"


def compare(ours: Sequence[FrameBoxes], theirs: Sequence[FrameBoxes]) -> Agreement:
    """Compares frame by frame, as many frames as both have."""
    equal = same = 0
    pairs = list(zip(ours, theirs, strict=False))
    for left, right in pairs:
        overlap = _overlaps(left, right)
        scores_near = np.abs(left[:, None, 4] - right[None, :, 4]) <= EQUAL_SCORE
        equal += _matches((overlap >= EQUAL_IOU) & scores_near)
        same += _matches(overlap >= SAME_IOU)
    return Agreement(
        len(pairs), sum(len(left) for left, _ in pairs), sum(len(right) for _, right in pairs), equal, same
    )


def save(path: Path, frames: Sequence[FrameBoxes]) -> None:
    """Writes the boxes of consecutive frames."""
    counts = np.array([len(frame) for frame in frames], np.int64)
    boxes = np.concatenate([np.empty((0, 5), np.float32), *frames])
    np.savez(path, counts=counts, boxes=boxes)


def load(path: Path) -> list[FrameBoxes]:
    """Reads what `save` wrote."""
    with np.load(path) as stored:
        counts, boxes = stored["counts"], stored["boxes"]
    return list(np.split(boxes, np.cumsum(counts)[:-1])) if len(counts) else []


def _matches(allowed: NDArray[np.bool_]) -> int:
    """Pairs, no box used twice: as many as a greedy walk over the rows finds."""
    free = np.ones(allowed.shape[1], bool)
    count = 0
    for row in allowed:
        hits = np.flatnonzero(row & free)
        if len(hits):
            free[hits[0]] = False
            count += 1
    return count


def _overlaps(left: FrameBoxes, right: FrameBoxes) -> NDArray[np.float32]:
    """(N, 5), (M, 5) -> (N, M) intersection over union."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:4], right[None, :, 2:4])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:4] - boxes[:, :2], 0), axis=1) for boxes in (left, right)]
    union = areas[0][:, None] + areas[1][None, :] - common
    shares: NDArray[np.float32] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares
