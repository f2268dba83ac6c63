"""A video's guide as it is stored and read back, and what a segment gets of it."""

from __future__ import annotations

import pytest

from videojob.video.guide import (
    GuidePart,
    IndexExcerpt,
    SegmentGuide,
    VideoGuide,
    guide_from_dict,
    part_from_dict,
)

PART = GuidePart(8, ((1000, 2000), (2000, 3500)), (None, 77), "own")
GUIDE = VideoGuide(((0, 64), (900, 1000)), "common", 8, (PART,))


def test_a_guide_comes_back_as_it_was_stored() -> None:
    assert guide_from_dict(GUIDE.as_dict()).with_parts([part_from_dict(PART.as_dict())]) == GUIDE


def test_a_segment_gets_what_opens_the_file_and_its_own_bytes() -> None:
    own = SegmentGuide(((0, 64), (900, 1000), (2000, 3500)), 77, IndexExcerpt("common", "own"))
    assert GUIDE.of(9) == own
    assert [GUIDE.of(segment) for segment in (7, 10)] == [None, None]


def test_without_a_part_of_the_index_the_whole_one_is_read() -> None:
    plain = VideoGuide(GUIDE.head, "", 8, (GuidePart(0, ((0, 10),), (None,)),))
    assert plain.of(0) == SegmentGuide((*GUIDE.head, (0, 10)), None, None)


@pytest.mark.parametrize(
    "change", [{"starts": [1]}, {"stops": [0, 1]}, {"before": [None]}, {"starts": [-1, 2000]}, {"first": "x"}]
)
def test_a_part_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        part_from_dict(PART.as_dict() | change)
