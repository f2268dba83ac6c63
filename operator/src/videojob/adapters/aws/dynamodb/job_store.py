"""What the processes of one job on a cluster share through the results table; `plan_items` has the keys."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from botocore.exceptions import ClientError

from videojob.adapters.aws.dynamodb.calls import Denied, cancellation_reasons
from videojob.adapters.aws.dynamodb.misreads import reads, reads_each
from videojob.adapters.aws.dynamodb.sink import DynamoDbSink
from videojob.adapters.aws.dynamodb.writes import failed_condition
from videojob.ports.results import FailOutcome, JobStore
from videojob.results.aggregate.document import Document, mapping, text
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.stored.items import first_moved, join_items, part_prefix
from videojob.results.stored.keys import (
    BAD_PREFIX,
    BEHIND,
    DOUBT_PREFIX,
    FAIL_PREFIX,
    JOB_KEY,
    MODEL_KEY,
    SEGMENT_PREFIX,
    SHARDS,
    doubt_sort_key,
    fail_sort_key,
    is_part_key,
    last_segment,
    plan_partition,
    plan_sort_key,
    segment_from_key,
    segment_partition,
    segment_sort_key,
    summary_sort_key,
)
from videojob.results.stored.plan_items import (
    doubt_from_item,
    doubt_item,
    failure_from_item,
    failure_item,
    guide_items,
    guide_keys,
    guide_part_from_item,
    head_from_item,
    head_item,
    model_from_item,
    model_item,
    video_from_item,
    video_item,
)
from videojob.results.stored.summary_codec import FACTS
from videojob.video.plan import ModelFacts, PlanHead, PlannedVideo, SegmentDoubt, SegmentFailure, may_be_forgiven

_LOG = logging.getLogger(__name__)


class DynamoDbJobStore(DynamoDbSink, JobStore):
    """`ports.JobStore` over one table."""

    @reads
    def save_plan(self, uid: str, head: PlanHead, videos: Sequence[PlannedVideo]) -> PlanHead:
        spilled = [video_item(uid, head, video, self._settings.spill_bytes) for video in videos]
        self._writer.put_all([item for one in spilled for item in one.all])
        self._writer.put_all([item for video in videos for item in guide_items(uid, head, video)])
        stored = self._writer.put_if_absent(head_item(uid, head))
        return head if stored is None else head_from_item(stored)

    @reads
    def plan_head(self, uid: str, attempt: int) -> PlanHead | None:
        item = self._reader.get(uid, plan_sort_key(attempt))
        return None if item is None else head_from_item(item)

    @reads_each
    def planned_videos(self, uid: str, plan_id: str) -> Iterator[PlannedVideo]:
        partition = plan_partition(uid, plan_id)
        kinds = [
            map(video_from_item, join_items(self._reader.query(partition, prefix, fits=True)))
            for prefix in (BAD_PREFIX, SEGMENT_PREFIX)
        ]
        return heapq.merge(*kinds, key=lambda video: video.video)

    @reads_each
    def videos_of_segments(self, uid: str, head: PlanHead, first: int, count: int) -> Iterator[PlannedVideo]:
        partition = plan_partition(uid, head.plan_id)
        low, high = _range(first, count, head.keys)
        # The video of the first segment usually began before it: its key is the last one that is not behind.
        start = self._reader.last_key(partition, low + BEHIND)
        if start is None:
            return iter(())
        begins = "#".join(start.split("#")[:2])
        found = join_items(self._reader.query_between(partition, begins, high + BEHIND))
        return (self._guided(partition, video_from_item(item), first, count) for item in found)

    def _guided(self, partition: str, video: PlannedVideo, first: int, count: int) -> PlannedVideo:
        """The video with its guide's parts for the segments `[first, first + count)`."""
        keys = guide_keys(video, first, count)
        if video.guide is None or keys is None:
            return video
        parts = map(guide_part_from_item, self._reader.query_between(partition, *keys))
        return replace(video, guide=video.guide.with_parts(tuple(parts)))

    @reads
    def committed_between(self, run: RunRecord, first: int, count: int) -> frozenset[int]:
        low, high = _range(first, count, run.keys)
        keys = (
            text(item["SK"])
            for shard in range(SHARDS)
            for item in self._reader.query_between(segment_partition(run, shard), low, high, "SK")
        )
        return frozenset(segment_from_key(key) for key in keys if not is_part_key(key))

    def fail(self, run: RunRecord, failure: SegmentFailure) -> FailOutcome:
        self._check_epoch(run, self._reader.get(run.uid, JOB_KEY))
        item, segment = self._writer.dated(failure_item(run, failure)), failure.segment
        commit = segment_partition(run, segment % SHARDS), segment_sort_key(segment, run.keys)
        try:
            self._writer.transact([self._writer.absent_part(*commit), self._writer.put_part(item)], [item])
        except ClientError as error:
            reasons = cancellation_reasons(error)
            if not any(map(failed_condition, reasons)):
                raise self._caller.refusal(error) from error
            return FailOutcome.COMMITTED if failed_condition(reasons[0]) else FailOutcome.ALREADY_STORED
        except Denied:
            # Policies of earlier releases lack the right to check. In two steps a commit may come between, and then
            # overrides the failure where it is read.
            _LOG.warning("dynamodb:ConditionCheckItem is not allowed: a failure is stored in two steps")
            if self._reader.get(*commit) is not None:
                return FailOutcome.COMMITTED
            return FailOutcome.STORED if self._writer.put_if_absent(item) is None else FailOutcome.ALREADY_STORED
        return FailOutcome.STORED

    @reads
    def doubt(self, run: RunRecord, doubt: SegmentDoubt) -> SegmentDoubt:
        stored = self._writer.put_if_absent(doubt_item(run, doubt))
        return doubt if stored is None else doubt_from_item(stored)

    @reads
    def doubts(self, run: RunRecord, segment: int) -> tuple[SegmentDoubt, ...]:
        items = self._reader.query(segment_partition(run, 0), doubt_sort_key(segment, "", run.keys))
        return tuple(map(doubt_from_item, items))

    @reads
    def failures(self, run: RunRecord) -> tuple[SegmentFailure, ...]:
        return tuple(map(failure_from_item, self._reader.query(segment_partition(run, 0), FAIL_PREFIX)))

    @reads
    def failures_between(self, run: RunRecord, first: int, count: int) -> tuple[SegmentFailure, ...]:
        low, high = fail_sort_key(first, run.keys), fail_sort_key(_last(first, count, run.keys), run.keys)
        return tuple(map(failure_from_item, self._reader.query_between(segment_partition(run, 0), low, high)))

    @reads
    def forgive(self, run: RunRecord) -> None:
        self._check_epoch(run, self._reader.get(run.uid, JOB_KEY))
        partition = segment_partition(run, 0)
        failed = self._reader.query(partition, FAIL_PREFIX)
        doubted = self._reader.query(partition, DOUBT_PREFIX, "SK")
        keys = [text(item["SK"]) for item in failed if may_be_forgiven(failure_from_item(item))]
        keys.extend(text(item["SK"]) for item in doubted)
        self._writer.remove_all(partition, keys)

    @reads
    def finished_facts(self, run: RunRecord) -> Mapping[str, Document] | None:
        key = summary_sort_key(run.epoch)
        item = self._reader.get(run.uid, key, ["digest", "parts", *(f"summary.{name}" for name in FACTS)])
        if item is None:
            return None
        facts = dict(mapping(item["summary"]))
        if "parts" in item and not facts["failed_inputs"] and facts["state"] != "Completed":
            parts = self._reader.query(run.uid, part_prefix(key, text(item["digest"])), page_items=1)  # they are large
            facts["failed_inputs"] = first_moved(parts, "summary/failed_inputs")
        return facts

    @reads
    def describe_model(self, run: RunRecord, model: ModelFacts) -> ModelFacts:
        """A put whose condition fails is charged, so a read goes before it."""
        self._check_epoch(run, self._reader.get(run.uid, JOB_KEY))
        known = self.model(run)
        if known is not None:
            return known
        stored = self._writer.put_if_absent(model_item(run, model))
        return model if stored is None else model_from_item(stored)

    @reads
    def model(self, run: RunRecord) -> ModelFacts | None:
        item = self._reader.get(segment_partition(run, 0), MODEL_KEY)
        return None if item is None else model_from_item(item)


def _range(first: int, count: int, keys: int) -> tuple[str, str]:
    """The sort keys of the segments `[first, first + count)`, both included; raises SinkError for one too far."""
    return segment_sort_key(first, keys), segment_sort_key(_last(first, count, keys), keys)


def _last(first: int, count: int, keys: int) -> int:
    """The last of the segments that has a key: those that no key can name are nobody's."""
    return min(first + count - 1, last_segment(keys))
