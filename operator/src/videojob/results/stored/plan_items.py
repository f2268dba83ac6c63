"""Plans, failures and the model's facts as table items, beside those of `results.stored.items`.

    PK                   SK                what
    uid                  PLAN#000001       the head of the first planner's plan
    uid#plan#<plan id>   SEG#000000120     a usable video, under its first segment
    uid#plan#<plan id>   BAD#000000007     an input that cannot be used
    uid#plan#<plan id>   GUIDE#000000120   what leads to some of a video's segments, under the first of them
    uid#v2#epoch#0       FAIL#000000012    a segment that no retry cures, and why
    uid#v2#epoch#0       DOUBT#000000012#R who first met the error R in that segment, and when
    uid#v2#epoch#0       CONFLICT#000000012    a segment that had a second, different result (`results.stored.items`)
    uid#v2#epoch#0       MODEL             name, version and labels of the model that answered

The head is written last and only if it is absent: the first planner of an attempt decides, a late one changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from videojob.results.aggregate.document import Document, items, mapping, record, text, whole
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.stored.codec import bytes_digest, canonical
from videojob.results.stored.items import SPILL_BYTES, Item, SpilledItem, checked, spill
from videojob.results.stored.keys import (
    FIRST_KEYS,
    MODEL_KEY,
    bad_sort_key,
    doubt_sort_key,
    fail_sort_key,
    guide_sort_key,
    keys_of_head,
    plan_partition,
    plan_sort_key,
    segment_partition,
    segment_sort_key,
)
from videojob.results.stored.retention import EXPIRES_AT
from videojob.video.guide import GuidePart, part_from_dict
from videojob.video.plan import (
    DecodedFrames,
    ModelFacts,
    PlanHead,
    PlannedVideo,
    SegmentDoubt,
    SegmentFailure,
    planned_video_from_dict,
)

_BESIDE_VIDEO = frozenset({"PK", "SK", "digest", EXPIRES_AT})


def head_item(uid: str, head: PlanHead) -> Item:
    """A plan's head as an item; one with keys of the first version is as the release before wrote it."""
    item = cast("Item", {"PK": uid, "SK": plan_sort_key(head.attempt)} | asdict(head))
    item["decoded"] = [asdict(one) for one in head.decoded]
    if head.keys == FIRST_KEYS:
        del item["keys"], item["decoded"]
    return item


def head_from_item(item: Mapping[str, Document]) -> PlanHead:
    """The inverse of `head_item`; raises KeyError, TypeError or ValueError on anything else."""
    error = item["error"]
    return record(
        PlanHead,
        item,
        error=None if error is None else mapping(error),
        longest_ms=whole(item.get("longest_ms", 0)),
        keys=keys_of_head(item),
        decoded=tuple(record(DecodedFrames, mapping(one)) for one in items(item.get("decoded", []))),
    )


def video_item(uid: str, head: PlanHead, video: PlannedVideo, max_bytes: int = SPILL_BYTES) -> SpilledItem:
    """A video of a plan as an item; a very long one is spilled like any other item. Raises SinkError without a key."""
    if video.info is None:
        key = bad_sort_key(video.video, head.keys)
    else:
        key = segment_sort_key(video.first_segment, head.keys)
        segment_sort_key(video.first_segment + video.segment_count - 1, head.keys)  # its last one needs a key, too
    document = cast("Item", video.as_dict())
    digest = bytes_digest(canonical(document))
    item: Item = {"PK": plan_partition(uid, head.plan_id), "SK": key, "digest": digest}
    return spill(item | document, digest, max_bytes, head.keys)


def video_from_item(item: Mapping[str, Document]) -> PlannedVideo:
    """The inverse of `video_item`, parts already joined.

    Raises:
        KeyError, ValueError, TypeError: it is something else, or does not have the digest that it says.
    """
    checked(item, canonical({name: value for name, value in item.items() if name not in _BESIDE_VIDEO}))
    return planned_video_from_dict(cast("Mapping[str, Any]", item))


def guide_items(uid: str, head: PlanHead, video: PlannedVideo) -> list[Item]:
    """The parts of a video's guide, an item each. Raises SinkError without a key."""
    parts = () if video.guide is None else video.guide.parts
    partition = plan_partition(uid, head.plan_id)
    keys = [guide_sort_key(video.first_segment + part.first) for part in parts]
    documents = [cast("Item", part.as_dict()) for part in parts]
    return [
        {"PK": partition, "SK": key, "digest": bytes_digest(canonical(document))} | document
        for key, document in zip(keys, documents, strict=True)
    ]


def guide_keys(video: PlannedVideo, first: int, count: int) -> tuple[str, str] | None:
    """The sort keys, both included, between which the guide of the video's segments in `[first, first + count)` lies.

    None when the video has no guide, or no such segment.
    """
    low = max(first - video.first_segment, 0)
    high = min(first + count - video.first_segment, video.segment_count) - 1
    if video.guide is None or low > high:
        return None
    parts = video.guide.part_segments
    bounds = (video.first_segment + low // parts * parts, video.first_segment + high)
    return guide_sort_key(bounds[0]), guide_sort_key(bounds[1])


def guide_part_from_item(item: Mapping[str, Document]) -> GuidePart:
    """One of `guide_items`.

    Raises:
        KeyError, ValueError, TypeError: it is something else, or does not have the digest that it says.
    """
    checked(item, canonical({name: value for name, value in item.items() if name not in _BESIDE_VIDEO}))
    return part_from_dict(cast("Mapping[str, Any]", item))


def failure_item(run: RunRecord, failure: SegmentFailure) -> Item:
    """A segment's failure as an item."""
    key = {"PK": segment_partition(run, 0), "SK": fail_sort_key(failure.segment, run.keys)}
    return key | asdict(failure)


def failure_from_item(item: Mapping[str, Document]) -> SegmentFailure:
    """The inverse of `failure_item`; raises KeyError or TypeError on anything else."""
    return record(SegmentFailure, item, error=mapping(item["error"]))


def doubt_item(run: RunRecord, doubt: SegmentDoubt) -> Item:
    """Who met an error in a segment, as an item."""
    key = {"PK": segment_partition(run, 0), "SK": doubt_sort_key(doubt.segment, doubt.reason, run.keys)}
    return key | asdict(doubt)


def doubt_from_item(item: Mapping[str, Document]) -> SegmentDoubt:
    """The inverse of `doubt_item`; raises KeyError or TypeError on anything else."""
    return record(SegmentDoubt, item)


def model_item(run: RunRecord, model: ModelFacts) -> Item:
    """The model's facts as an item."""
    return {"PK": segment_partition(run, 0), "SK": MODEL_KEY} | asdict(model) | {"labels": list(model.labels)}


def model_from_item(item: Mapping[str, Document]) -> ModelFacts:
    """The inverse of `model_item`; raises KeyError or TypeError on anything else."""
    return record(ModelFacts, item, labels=tuple(text(label) for label in items(item["labels"])))
