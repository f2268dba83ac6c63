"""Plans, failures and the model's facts as table items, beside those of `results.items`.

    PK                   SK                what
    uid                  PLAN#000001       the head of the first planner's plan
    uid#plan#<plan id>   SEG#000120        a usable video, under its first segment
    uid#plan#<plan id>   BAD#000007        an input that cannot be used
    uid#epoch#0          FAIL#000012       a segment that no retry cures, and why
    uid#epoch#0          MODEL             name, version and labels of the model that answered

The head is written last and only if it is absent: the first planner of an attempt decides, a late one changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from videojob.planning.jobplan import ModelFacts, PlanHead, PlannedVideo, SegmentFailure, planned_video_from_dict
from videojob.results.codec import bytes_digest, canonical
from videojob.results.document import Document, items, mapping, text, whole
from videojob.results.items import SPILL_BYTES, Item, SpilledItem, segment_partition, segment_sort_key, spill
from videojob.results.values import RunRecord

MODEL_KEY = "MODEL"
BAD_PREFIX = "BAD#"
FAIL_PREFIX = "FAIL#"


def plan_sort_key(attempt: int) -> str:
    """Sort key of a plan's head."""
    return f"PLAN#{attempt:06d}"


def plan_partition(uid: str, plan_id: str) -> str:
    """Partition key of a plan's videos."""
    return f"{uid}#plan#{plan_id}"


def head_item(uid: str, head: PlanHead) -> Item:
    """A plan's head as an item."""
    return cast("Item", {"PK": uid, "SK": plan_sort_key(head.attempt)} | asdict(head))


def head_from_item(item: Mapping[str, Document]) -> PlanHead:
    """The inverse of `head_item`; raises KeyError or TypeError on anything else."""
    error = item["error"]
    return PlanHead(
        attempt=whole(item["attempt"]),
        plan_id=text(item["plan_id"]),
        plan_digest=text(item["plan_digest"]),
        videos=whole(item["videos"]),
        failed=whole(item["failed"]),
        segments=whole(item["segments"]),
        frames=whole(item["frames"]),
        duration_ms=whole(item["duration_ms"]),
        error=None if error is None else mapping(error),
        longest_ms=whole(item.get("longest_ms", 0)),
    )


def video_item(uid: str, plan_id: str, video: PlannedVideo, max_bytes: int = SPILL_BYTES) -> SpilledItem:
    """A video of a plan as an item; a very long one is spilled like any other item."""
    key = f"{BAD_PREFIX}{video.video:06d}" if video.info is None else segment_sort_key(video.first_segment)
    document = cast("Item", video.as_dict())
    digest = bytes_digest(canonical(document))
    item: Item = {"PK": plan_partition(uid, plan_id), "SK": key, "digest": digest}
    return spill(item | document, digest, max_bytes)


def video_from_item(item: Mapping[str, Document]) -> PlannedVideo:
    """The inverse of `video_item`, parts already joined; raises KeyError, ValueError or TypeError on anything else."""
    return planned_video_from_dict(cast("Mapping[str, Any]", item))


def failure_item(run: RunRecord, failure: SegmentFailure) -> Item:
    """A segment's failure as an item."""
    return {
        "PK": segment_partition(run, 0),
        "SK": f"{FAIL_PREFIX}{failure.segment:06d}",
        "segment": failure.segment,
        "video": failure.video,
        "error": cast("Document", dict(failure.error)),
    }


def failure_from_item(item: Mapping[str, Document]) -> SegmentFailure:
    """The inverse of `failure_item`; raises KeyError or TypeError on anything else."""
    return SegmentFailure(whole(item["segment"]), whole(item["video"]), mapping(item["error"]))


def model_item(run: RunRecord, model: ModelFacts) -> Item:
    """The model's facts as an item."""
    labels: list[Document] = list(model.labels)
    return {
        "PK": segment_partition(run, 0),
        "SK": MODEL_KEY,
        "name": model.name,
        "version": model.version,
        "labels": labels,
        "digest": model.digest,
    }


def model_from_item(item: Mapping[str, Document]) -> ModelFacts:
    """The inverse of `model_item`; raises KeyError or TypeError on anything else."""
    labels = tuple(text(label) for label in items(item["labels"]))
    return ModelFacts(text(item["name"]), text(item["version"]), labels, text(item["digest"]))
