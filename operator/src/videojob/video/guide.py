"""What a pod needs to know of a video to read its segments and nothing else: where they lie in the file, and the part
of the container's index that leads to them. Made once by the planner, stored with its plan. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

PART_SEGMENTS = 8
"""Segments of one part: a table charges for whole kilobytes, and neighbours need much of the same index."""


@dataclass(frozen=True, slots=True)
class IndexExcerpt:
    """A part of a container's index that stands in the place of the whole one. See `media.excerpt`.

    Attributes:
        common: what all excerpts of the video share. own: what leads to these segments. Both base85 of their bytes.
    """

    common: str
    own: str


@dataclass(frozen=True, slots=True)
class GuidePart:
    """Some neighbouring segments of a video.

    Attributes:
        first: position of the first one among the video's segments.
        spans: for each segment (first byte of its pictures, the one behind the last).
        before: for each segment the presentation time of the picture before it; None when nothing tells.
        index: base85 of what leads to these segments; "" when the index must be read from the video.
    """

    first: int
    spans: tuple[tuple[int, int], ...]
    before: tuple[int | None, ...]
    index: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able values; `part_from_dict` reads them back."""
        return {
            "first": self.first,
            "starts": [start for start, _ in self.spans],
            "stops": [stop for _, stop in self.spans],
            "before": list(self.before),
            "index": self.index,
        }


def part_from_dict(values: Mapping[str, Any]) -> GuidePart:
    """The inverse of `GuidePart.as_dict`; raises KeyError, ValueError or TypeError on anything else."""
    spans = zip(_whole(values["starts"]), _whole(values["stops"]), strict=True)
    before = tuple(None if one is None else int(one) for one in values["before"])
    part = GuidePart(int(values["first"]), tuple(spans), before, str(values["index"]))
    if len(part.before) != len(part.spans) or any(not 0 <= start <= stop for start, stop in part.spans):
        raise ValueError("a guide's columns do not fit")
    return part


@dataclass(frozen=True, slots=True)
class SegmentGuide:
    """One segment's share of a guide.

    Attributes:
        spans: (first byte, the one behind the last) of what is read: to open the file, then of the segment.
        before_pts: presentation time of the picture before it; None when nothing tells.
        index: what stands in the place of the container's index; None when that is read from the video.
    """

    spans: tuple[tuple[int, int], ...]
    before_pts: int | None
    index: IndexExcerpt | None


@dataclass(frozen=True, slots=True)
class VideoGuide:
    """All of a video, or of some of its segments.

    Attributes:
        head: (first byte, the one behind the last) of what is read to open it.
        common: base85 of what all excerpts of its index share; "" when there are none.
        part_segments: segments of every part but the last.
        parts: ascending; those that are here.
    """

    head: tuple[tuple[int, int], ...]
    common: str
    part_segments: int
    parts: tuple[GuidePart, ...] = ()

    def of(self, segment: int) -> SegmentGuide | None:
        """What is known of a segment, by its position among the video's; None when its part is not here."""
        part = next((one for one in self.parts if 0 <= segment - one.first < len(one.spans)), None)
        if part is None:
            return None
        at = segment - part.first
        index = IndexExcerpt(self.common, part.index) if self.common and part.index else None
        return SegmentGuide((*self.head, part.spans[at]), part.before[at], index)

    def with_parts(self, parts: Sequence[GuidePart]) -> VideoGuide:
        """The same with these parts."""
        return replace(self, parts=tuple(parts))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able values without the parts; `guide_from_dict` reads them back."""
        head = [place for span in self.head for place in span]
        return {"head": head, "common": self.common, "part_segments": self.part_segments}


def guide_from_dict(values: Mapping[str, Any]) -> VideoGuide:
    """The inverse of `VideoGuide.as_dict`; raises KeyError, ValueError or TypeError on anything else."""
    places = _whole(values["head"])
    head = tuple(zip(places[::2], places[1::2], strict=True))
    guide = VideoGuide(head, str(values["common"]), int(values["part_segments"]))
    if guide.part_segments < 1 or any(not 0 <= start <= stop for start, stop in head):
        raise ValueError("no such guide")
    return guide


def _whole(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]
