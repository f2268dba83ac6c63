"""What leads pods to their segments' bytes, in a real table: each index reads its own part."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from support.dynamodb import FaultyDynamoDb, settings_for
from support.plans import good_video, plan_head
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.video.guide import GuidePart, VideoGuide

UID = "team.uid-1"


def a_part(first: int, stop: int) -> GuidePart:
    spans = tuple((at, at + 1) for at in range(first, stop))
    return GuidePart(first, spans, (None,) * len(spans), "x")


def test_an_index_reads_its_part_of_a_videos_guide(proxy: FaultyDynamoDb) -> None:
    """A plan of the release before has no guide: its videos come without one, and without a further call."""
    before, plain = good_video(0, cuts=2), good_video(1, cuts=20, first_segment=3)
    parts = (a_part(0, 8), a_part(8, 16), a_part(16, 21))
    guide = VideoGuide(((0, 9),), "common", 8)
    guided = replace(plain, guide=guide.with_parts(parts))
    videos = [before, guided]
    with closing(DynamoDbJobStore(settings_for(proxy.url))) as store:
        store.create_table()
        head = store.save_plan(UID, plan_head(videos), videos)
        for first, count, here in ((3, 1, parts[:1]), (10, 2, parts[:2]), (11, 8, parts[1:2]), (21, 9, parts[2:])):
            (found,) = store.videos_of_segments(UID, head, first, count)
            assert found == replace(guided, guide=guide.with_parts(here))
            segment = found.segments[first - 3]
            assert found.guide_of(segment) == guided.guide_of(segment)
            assert found.guide_of(segment) is not None
        proxy.seen.clear()
        assert list(store.videos_of_segments(UID, head, 0, 3)) == [before]
        assert len(proxy.seen) == 2
        (whole,) = [video for video in store.planned_videos(UID, head.plan_id) if video.video == 1]
        assert whole == replace(guided, guide=guide)
