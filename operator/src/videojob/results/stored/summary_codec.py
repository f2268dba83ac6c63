"""The summary as canonical JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from videojob.results.aggregate.document import (
    Document,
    gaps_document,
    gaps_from_document,
    items,
    mapping,
    presence_columns,
    presence_from_columns,
    text,
    whole,
)
from videojob.results.aggregate.summary import (
    ClassSummary,
    FailedInput,
    FrameCounts,
    JobIdentity,
    ResultSettings,
    State,
    Summary,
    VideoEntry,
    VideoSummary,
)
from videojob.results.stored.codec import canonical_pieces, parse

FACTS = ("schema", "state", "message", "frames", "failed_inputs")
"""Names of what `facts_of` takes."""

SCHEMA = "videojob.dev/v1alpha1/summary"
"""Says what the document is; changes when its fields change their meaning."""


def encode_summary(summary: Summary) -> bytes:
    """The summary's canonical JSON; equal summaries are equal bytes."""
    return b"".join(canonical_pieces(summary_document(summary)))


def decode_summary(data: bytes) -> Summary:
    """The inverse of `encode_summary`; raises KeyError, TypeError or ValueError on anything else."""
    return summary_from_document(mapping(parse(data)))


def summary_document(summary: Summary) -> dict[str, Document]:
    """The summary as a document; scores are decimal strings, times whole milliseconds."""
    identity, settings = summary.identity, summary.settings
    return {
        "schema": SCHEMA,
        "job": {
            "namespace": identity.namespace,
            "name": identity.name,
            "model": identity.model,
            "model_version": identity.model_version,
            "labels": list(identity.labels),
        },
        "settings": {
            "window_ms": settings.window_ms,
            "presence_gap_ms": settings.presence_gap_ms,
            "threshold_ppm": settings.threshold_ppm,
            "sampling": settings.sampling,
            "tracked": settings.tracked,
        },
        "state": summary.state,
        "message": summary.message,
        "frames": _frames_document(summary.frames),
        "classes": [_class_document(item) for item in summary.classes],
        "videos": [_video_document(video) for video in summary.videos],
        "failed_inputs": [
            {"video": entry.video, "uri": entry.uri, "error": dict(entry.error)} for entry in summary.failed_inputs
        ],
    }


def facts_of(document: Mapping[str, Document]) -> tuple[State, str, FrameCounts, tuple[FailedInput, ...]]:
    """State, message, frames and failed inputs of a summary's document, which need not hold anything else.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    _check_schema(document)
    failed = tuple(_failed(mapping(item)) for item in items(document["failed_inputs"]))
    return _state(document["state"]), text(document["message"]), _frames(document["frames"]), failed


def summary_from_document(document: Mapping[str, Document]) -> Summary:
    """The inverse of `summary_document`; raises KeyError, TypeError or ValueError on anything else."""
    state, message, frames, failed = facts_of(document)
    job, settings = mapping(document["job"]), mapping(document["settings"])
    return Summary(
        identity=JobIdentity(
            namespace=text(job["namespace"]),
            name=text(job["name"]),
            model=text(job["model"]),
            model_version=text(job["model_version"]),
            labels=tuple(text(label) for label in items(job["labels"])),
        ),
        settings=ResultSettings(
            window_ms=whole(settings["window_ms"]),
            presence_gap_ms=whole(settings["presence_gap_ms"]),
            threshold_ppm=whole(settings["threshold_ppm"]),
            sampling=text(settings["sampling"]),
            tracked=bool(settings["tracked"]),
        ),
        state=state,
        message=message,
        frames=frames,
        classes=tuple(_class(mapping(item)) for item in items(document["classes"])),
        videos=tuple(_video(mapping(item)) for item in items(document["videos"])),
        failed_inputs=failed,
    )


def _check_schema(document: Mapping[str, Document]) -> None:
    if document["schema"] != SCHEMA:
        raise ValueError(f"not a summary that this version can read: schema {document['schema']!r}, not {SCHEMA!r}")


def _frames_document(frames: FrameCounts) -> dict[str, Document]:
    return {
        "decoded": frames.decoded,
        "selected": frames.selected,
        "gated": frames.gated,
        "inferred": frames.inferred,
    }


def _frames(document: Document) -> FrameCounts:
    values = mapping(document)
    return FrameCounts(*(whole(values[name]) for name in ("decoded", "selected", "gated", "inferred")))


def _class_document(item: ClassSummary) -> dict[str, Document]:
    document: dict[str, Document] = {
        "class_id": item.class_id,
        "label": item.label,
        "detections": item.detections,
        "frames": item.frames,
        "max_at_once": item.max_at_once,
        "mean_score": item.mean_score,
        "max_score": item.max_score,
        "present_ms": item.present_ms,
        "intervals": item.intervals,
    }
    return document if item.unique is None else document | {"unique": item.unique}


def _class(values: Mapping[str, Document]) -> ClassSummary:
    return ClassSummary(
        class_id=whole(values["class_id"]),
        label=text(values["label"]),
        detections=whole(values["detections"]),
        frames=whole(values["frames"]),
        max_at_once=whole(values["max_at_once"]),
        mean_score=text(values["mean_score"]),
        max_score=text(values["max_score"]),
        present_ms=whole(values["present_ms"]),
        intervals=whole(values["intervals"]),
        unique=whole(values["unique"]) if "unique" in values else None,
    )


def _video_document(video: VideoSummary) -> dict[str, Document]:
    return {
        "video": video.video,
        "uri": video.entry.uri,
        "duration_ms": video.entry.duration_ms,
        "width": video.entry.width,
        "height": video.entry.height,
        "segments": video.segments,
        "frames": _frames_document(video.frames),
        "classes": [_class_document(item) for item in video.classes],
        "presence": presence_columns(video.presence),
        "gaps": gaps_document(video.gaps),
    }


def _video(values: Mapping[str, Document]) -> VideoSummary:
    return VideoSummary(
        video=whole(values["video"]),
        entry=VideoEntry(
            text(values["uri"]), whole(values["duration_ms"]), whole(values["width"]), whole(values["height"])
        ),
        segments=whole(values["segments"]),
        frames=_frames(values["frames"]),
        classes=tuple(_class(mapping(item)) for item in items(values["classes"])),
        presence=presence_from_columns(values["presence"]),
        gaps=gaps_from_document(values["gaps"]),
    )


def _failed(values: Mapping[str, Document]) -> FailedInput:
    return FailedInput(whole(values["video"]), text(values["uri"]), dict(mapping(values["error"])))


def _state(value: Document) -> State:
    if value not in ("Completed", "PartiallyCompleted", "Failed"):
        raise ValueError(f"unknown state {value!r}")
    return cast("State", value)
