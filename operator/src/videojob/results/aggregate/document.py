"""Results as plain documents: maps, lists, whole numbers, strings. The one shape that JSON, DynamoDB and SQLite share.

Tables are columnar (one list per column): names are then stored once, which keeps a segment's item small, and every
number stays readable in a console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeAlias, TypeVar, cast

from videojob.results.aggregate.columns import PRESENCE, PresenceColumns
from videojob.results.aggregate.segment_results import (
    ClassStats,
    Gap,
    Presence,
    SegmentResult,
    SegmentTimings,
    ServerWork,
    TrackSpan,
    Window,
)

Document: TypeAlias = "Mapping[str, Document] | Sequence[Document] | str | int | None"
"""There are no floats; a bool is an int that stays a bool."""

Table: TypeAlias = "dict[str, list[int]]"
Kind = TypeVar("Kind")

_STATS = ("detections", "frames", "max_at_once", "score_sum_ppm", "score_max_ppm")
_FIRST_BOX = ("first_x_min", "first_y_min", "first_x_max", "first_y_max")
_LAST_BOX = ("last_x_min", "last_y_min", "last_x_max", "last_y_max")
_TRACKS = ("track_id", "class_id", "first_ms", "last_ms", *_FIRST_BOX, *_LAST_BOX)
_TIMINGS_S = ("wall", "decode", "prepare", "transport", "boxes", "aggregate", "wait", "decode_wait")


def result_document(result: SegmentResult) -> dict[str, Document]:
    """The result as a document; `result_from_document` reads it back. Empty tables are left out."""
    document: dict[str, Document] = {
        "segment": result.segment,
        "video": result.video,
        "start_pts": result.start_pts,
        "end_pts": result.end_pts,
        "frames_decoded": result.frames_decoded,
        "frames_selected": result.frames_selected,
        "frames_gated": result.frames_gated,
    }
    stats = [(window.index, item) for window in result.windows for item in window.classes]
    tables: dict[str, Table] = {
        "windows": _table(("window", "frames"), ((window.index, window.frames) for window in result.windows)),
        "window_classes": _table(
            ("window", "class_id", *_STATS),
            ((index, item.class_id, *(getattr(item, name) for name in _STATS)) for index, item in stats),
        ),
        "presence": presence_table(result.presence),
        "tracks": _table(_TRACKS, (_track_row(track) for track in result.tracks)),
    }
    document |= {name: table for name, table in tables.items() if table}
    if result.gaps:
        document["gaps"] = gaps_document(result.gaps)
    return document


def result_from_document(document: Mapping[str, Document]) -> SegmentResult:
    """The inverse of `result_document`; raises KeyError, TypeError or ValueError on anything else."""
    classes: dict[int, list[ClassStats]] = {}
    for window, class_id, *stats in _rows(document, "window_classes", ("window", "class_id", *_STATS)):
        classes.setdefault(window, []).append(ClassStats(class_id, *stats))
    return record(
        SegmentResult,
        document,
        start_pts=_optional(document["start_pts"]),
        end_pts=_optional(document["end_pts"]),
        windows=tuple(
            Window(index, frames, tuple(classes.get(index, ())))
            for index, frames in _rows(document, "windows", ("window", "frames"))
        ),
        presence=presence_from_table(document.get("presence")),
        tracks=tuple(_track(row) for row in _rows(document, "tracks", _TRACKS)),
        gaps=gaps_from_document(document.get("gaps")),
    )


def presence_columns(spans: Sequence[Presence]) -> dict[str, Document]:
    """Presence intervals as columns, not copied if they are such already; empty when there are none."""
    if not isinstance(spans, PresenceColumns):
        return dict(presence_table(spans))
    return dict(zip(PRESENCE, spans.table_columns(), strict=True)) if spans else {}


def presence_from_columns(table: Document) -> PresenceColumns:
    """The inverse of `presence_columns`; raises KeyError, TypeError or ValueError on anything else."""
    columns = mapping(table)
    return PresenceColumns.of_table([cast("Sequence[int]", items(columns[name])) for name in PRESENCE if columns])


def presence_table(spans: Iterable[Presence]) -> Table:
    """Presence intervals as columns; empty when there are none."""
    return _table(
        PRESENCE,
        (
            (span.class_id, span.first_ms, span.last_ms, span.peak_ms, span.peak_score_ppm, *span.peak_box)
            for span in spans
        ),
    )


def presence_from_table(table: Document) -> tuple[Presence, ...]:
    """The inverse of `presence_table`; None reads as an empty table."""
    return tuple(
        Presence(class_id, first_ms, last_ms, peak_ms, peak_score_ppm, (x_min, y_min, x_max, y_max))
        for class_id, first_ms, last_ms, peak_ms, peak_score_ppm, x_min, y_min, x_max, y_max in _rows(
            {"presence": table}, "presence", PRESENCE
        )
    )


def gaps_document(gaps: Iterable[Gap]) -> list[Document]:
    """Gaps as a list of maps."""
    return [asdict(gap) for gap in gaps]


def gaps_from_document(document: Document) -> tuple[Gap, ...]:
    """The inverse of `gaps_document`; None reads as no gap."""
    return tuple(record(Gap, mapping(gap)) for gap in items(document))


def timings_document(timings: SegmentTimings) -> dict[str, Document]:
    """Timings in whole microseconds."""
    document: dict[str, Document] = {
        f"{name}_us": round(getattr(timings, f"{name}_s") * 1_000_000) for name in _TIMINGS_S
    }
    server: dict[str, Document] = {} if timings.server is None else {"server": _server_row(timings.server)}
    return document | {"retries": timings.retries, "peak_rss_bytes": timings.peak_rss_bytes} | server


def timings_from_document(document: Mapping[str, Document]) -> SegmentTimings:
    """The inverse of `timings_document`, to the microsecond; a time that its writer did not measure is 0."""
    seconds = {f"{name}_s": whole(document.get(f"{name}_us", 0)) / 1_000_000 for name in _TIMINGS_S}
    return record(SegmentTimings, document, **seconds, server=server_from_row(document.get("server")))


def _server_row(work: ServerWork) -> list[Document]:
    """Without names, which would take more of an item than the figures."""
    return [
        round(work.window_s * 1_000_000),
        work.executions,
        work.frames,
        work.frames_squared,
        round(work.execution_s * 1_000_000),
        round(work.frame_execution_s * 1_000_000),
        work.max_batch,
        work.instances,
        work.input_pixels,
        work.worker,
    ]


def server_from_row(row: Document) -> ServerWork | None:
    """What `timings_document` has under "server"; None where an older writer left it out."""
    if row is None:
        return None
    *numbers, worker = items(row)
    window, executions, frames, squared, taken, frame_taken, max_batch, instances, pixels = map(whole, numbers)
    return ServerWork(
        window / 1_000_000,
        executions,
        frames,
        squared,
        taken / 1_000_000,
        frame_taken / 1_000_000,
        max_batch,
        instances,
        pixels,
        text(worker),
    )


def record(kind: type[Kind], values: Mapping[str, Document], **others: Any) -> Kind:
    """A dataclass of whole numbers, strings and truths, of a document that names its fields as `asdict` does.

    Args:
        kind: the dataclass.
        values: the document, which may hold more.
        others: fields that are of another type, or named otherwise.

    Raises:
        KeyError, TypeError: a field is missing or something else.
    """
    plain = (one for one in fields(cast("Any", kind)) if one.name not in others)
    return kind(**{one.name: _READERS[one.type](values[one.name]) for one in plain}, **others)


def whole(value: Document) -> int:
    """The value as a whole number; raises TypeError when it is something else."""
    if not isinstance(value, int):
        raise TypeError(f"expected a whole number, found {type(value).__name__}")
    return value


def text(value: Document) -> str:
    """The value as a string; raises TypeError when it is something else."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, found {type(value).__name__}")
    return value


def mapping(value: Document) -> Mapping[str, Document]:
    """The value as a map; raises TypeError when it is something else."""
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a map, found {type(value).__name__}")
    return value


def items(value: Document) -> Sequence[Document]:
    """The value as a list, None as an empty one; raises TypeError when it is something else."""
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"expected a list, found {type(value).__name__}")
    return value


_READERS: dict[Any, Callable[[Document], object]] = {"int": whole, "str": text, "bool": bool}


def _optional(value: Document) -> int | None:
    return None if value is None else whole(value)


def _table(columns: Sequence[str], rows: Iterable[Sequence[int]]) -> Table:
    listed = list(rows)
    return {name: [row[at] for row in listed] for at, name in enumerate(columns)} if listed else {}


def _rows(document: Mapping[str, Document], name: str, columns: Sequence[str]) -> Iterable[tuple[int, ...]]:
    found = document.get(name)
    if not found:
        return ()
    table = mapping(found)
    lists = [cast("Sequence[int]", items(table[column])) for column in columns]
    return zip(*lists, strict=True)


def _track_row(track: TrackSpan) -> tuple[int, ...]:
    return (track.track_id, track.class_id, track.first_ms, track.last_ms, *track.first_box, *track.last_box)


def _track(row: tuple[int, ...]) -> TrackSpan:
    track_id, class_id, first_ms, last_ms, *corners = row
    left, top, right, bottom, last_left, last_top, last_right, last_bottom = corners
    return TrackSpan(
        track_id,
        class_id,
        first_ms,
        last_ms,
        (left, top, right, bottom),
        (last_left, last_top, last_right, last_bottom),
    )
