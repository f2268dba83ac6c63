"""What the processes of one job on a cluster share through the results table; `results.plan_items` has the keys."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from videojob.adapters.dynamodb import DynamoDbSink
from videojob.adapters.dynamodb_misreads import reads, reads_each
from videojob.planning.jobplan import ModelFacts, PlanHead, PlannedVideo, SegmentDoubt, SegmentFailure
from videojob.results.document import text
from videojob.results.items import join_items
from videojob.results.keys import (
    BAD_PREFIX,
    BEHIND,
    FAIL_PREFIX,
    JOB_KEY,
    MODEL_KEY,
    SEGMENT_PREFIX,
    SHARDS,
    is_part_key,
    last_segment,
    plan_partition,
    plan_sort_key,
    segment_from_key,
    segment_partition,
    segment_sort_key,
)
from videojob.results.plan_items import (
    doubt_from_item,
    doubt_item,
    failure_from_item,
    failure_item,
    head_from_item,
    head_item,
    model_from_item,
    model_item,
    video_from_item,
    video_item,
)
from videojob.results.values import RunRecord


class DynamoDbJobStore(DynamoDbSink):
    """`ports.JobStore` over one table."""

    @reads
    def save_plan(self, uid: str, head: PlanHead, videos: Sequence[PlannedVideo]) -> PlanHead:
        """See `ports.JobStore.save_plan`."""
        spilled = [video_item(uid, head, video, self._settings.spill_bytes) for video in videos]
        self._put_all([item for one in spilled for item in one.all])
        stored = self._put_if_absent(head_item(uid, head))
        return head if stored is None else head_from_item(stored)

    @reads
    def plan_head(self, uid: str, attempt: int) -> PlanHead | None:
        """See `ports.JobStore.plan_head`."""
        item = self._reader.get(uid, plan_sort_key(attempt))
        return None if item is None else head_from_item(item)

    @reads_each
    def planned_videos(self, uid: str, plan_id: str) -> Iterator[PlannedVideo]:
        """See `ports.JobStore.planned_videos`."""
        partition = plan_partition(uid, plan_id)
        kinds = [
            map(video_from_item, join_items(self._reader.query(partition, prefix)))
            for prefix in (BAD_PREFIX, SEGMENT_PREFIX)
        ]
        return heapq.merge(*kinds, key=lambda video: video.video)

    @reads_each
    def videos_of_segments(self, uid: str, head: PlanHead, first: int, count: int) -> Iterator[PlannedVideo]:
        """See `ports.JobStore.videos_of_segments`."""
        partition = plan_partition(uid, head.plan_id)
        low, high = _range(first, count, head.keys)
        # The video of the first segment usually began before it: its key is the last one that is not behind.
        start = self._reader.last_key(partition, low + BEHIND)
        if start is None:
            return iter(())
        begins = "#".join(start.split("#")[:2])
        return map(video_from_item, join_items(self._reader.query_between(partition, begins, high + BEHIND)))

    @reads
    def committed_between(self, run: RunRecord, first: int, count: int) -> frozenset[int]:
        """See `ports.JobStore.committed_between`."""
        low, high = _range(first, count, run.keys)
        keys = (
            text(item["SK"])
            for shard in range(SHARDS)
            for item in self._reader.query_between(segment_partition(run, shard), low, high, "SK")
        )
        return frozenset(segment_from_key(key) for key in keys if not is_part_key(key))

    def fail(self, run: RunRecord, failure: SegmentFailure) -> bool:
        """See `ports.JobStore.fail`."""
        self._check_epoch(run, self._reader.get(run.uid, JOB_KEY))
        return self._put_if_absent(failure_item(run, failure)) is None

    @reads
    def doubt(self, run: RunRecord, doubt: SegmentDoubt) -> SegmentDoubt:
        """See `ports.JobStore.doubt`."""
        stored = self._put_if_absent(doubt_item(run, doubt))
        return doubt if stored is None else doubt_from_item(stored)

    @reads
    def failures(self, run: RunRecord) -> tuple[SegmentFailure, ...]:
        """See `ports.JobStore.failures`."""
        return tuple(map(failure_from_item, self._reader.query(segment_partition(run, 0), FAIL_PREFIX)))

    @reads
    def describe_model(self, run: RunRecord, model: ModelFacts) -> ModelFacts:
        """See `ports.JobStore.describe_model`."""
        self._check_epoch(run, self._reader.get(run.uid, JOB_KEY))
        stored = self._put_if_absent(model_item(run, model))
        return model if stored is None else model_from_item(stored)

    @reads
    def model(self, run: RunRecord) -> ModelFacts | None:
        """See `ports.JobStore.model`."""
        item = self._reader.get(segment_partition(run, 0), MODEL_KEY)
        return None if item is None else model_from_item(item)


def _range(first: int, count: int, keys: int) -> tuple[str, str]:
    """The sort keys of the segments `[first, first + count)`, both included; those that no key can name are nobody's.

    Raises:
        SinkError: not even the first one has a key.
    """
    return segment_sort_key(first, keys), segment_sort_key(min(first + count - 1, last_segment(keys)), keys)
