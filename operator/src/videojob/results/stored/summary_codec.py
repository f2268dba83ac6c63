"""The summary as canonical JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from videojob.results.aggregate.document import (
    Document,
    gaps_document,
    gaps_from_document,
    items,
    mapping,
    presence_columns,
    presence_from_columns,
    record,
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
    return {
        "schema": SCHEMA,
        "job": asdict(summary.identity) | {"labels": list(summary.identity.labels)},
        "settings": asdict(summary.settings),
        "state": summary.state,
        "message": summary.message,
        "frames": asdict(summary.frames),
        "classes": [_class_document(item) for item in summary.classes],
        "videos": [_video_document(video) for video in summary.videos],
        "failed_inputs": [asdict(entry) for entry in summary.failed_inputs],
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
    job = mapping(document["job"])
    return Summary(
        identity=record(JobIdentity, job, labels=tuple(text(label) for label in items(job["labels"]))),
        settings=record(ResultSettings, mapping(document["settings"])),
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


def _frames(document: Document) -> FrameCounts:
    return record(FrameCounts, mapping(document))


def _class_document(item: ClassSummary) -> dict[str, Document]:
    document = asdict(item)
    if item.unique is None:
        del document["unique"]
    return document


def _class(values: Mapping[str, Document]) -> ClassSummary:
    return record(ClassSummary, values, unique=whole(values["unique"]) if "unique" in values else None)


def _video_document(video: VideoSummary) -> dict[str, Document]:
    return {
        "video": video.video,
        **asdict(video.entry),
        "segments": video.segments,
        "frames": asdict(video.frames),
        "classes": [_class_document(item) for item in video.classes],
        "presence": presence_columns(video.presence),
        "gaps": gaps_document(video.gaps),
    }


def _video(values: Mapping[str, Document]) -> VideoSummary:
    return record(
        VideoSummary,
        values,
        entry=record(VideoEntry, values),
        frames=_frames(values["frames"]),
        classes=tuple(_class(mapping(item)) for item in items(values["classes"])),
        presence=presence_from_columns(values["presence"]),
        gaps=gaps_from_document(values["gaps"]),
    )


def _failed(values: Mapping[str, Document]) -> FailedInput:
    return record(FailedInput, values, error=dict(mapping(values["error"])))


def _state(value: Document) -> State:
    if value not in ("Completed", "PartiallyCompleted", "Failed"):
        raise ValueError(f"unknown state {value!r}")
    return cast("State", value)
