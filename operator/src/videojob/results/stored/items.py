"""Results as table items: keys, attributes, and the spilling of items that outgrow the store. docs/reference/results.md
shows them.

    PK                   SK                        what
    uid                  JOB                       the job: newest epoch, its plan, its state
    uid#v2#epoch#shard   SEG#000000012             a segment's commit (shard = segment mod SHARDS)
    uid#v2#epoch#shard   SEG#000000012#<digest>#P000001    a part of it, when it outgrew one item
    uid                  SUMMARY#000001            the summary of epoch 1
    uid                  SUMMARY#000001#<digest>#P000001
    uid                  OUTBOX#000001             the notification to publish

These are keys of version 2; `results.stored.keys` has both versions.

Parts are written before the head item whose conditional put is the commit, and carry the head's digest in their key:
two writers never mix their parts, and parts without a head are never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias, cast

from videojob.errors import ItemTooLarge
from videojob.results.aggregate.columns import Column
from videojob.results.aggregate.document import (
    Document,
    items,
    mapping,
    record,
    result_document,
    result_from_document,
    text,
    timings_document,
    timings_from_document,
    whole,
)
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict
from videojob.results.stored.codec import bytes_digest, canonical
from videojob.results.stored.keys import (
    FIRST_KEYS,
    JOB_KEY,
    SHARDS,
    conflict_sort_key,
    is_part_key,
    keys_document,
    keys_of_epoch,
    outbox_sort_key,
    part_sort_key,
    segment_partition,
    segment_sort_key,
    summary_sort_key,
)
from videojob.results.stored.retention import EXPIRES_AT
from videojob.results.stored.write_cost import item_bytes
from videojob.video.plan import NEWEST_KEYS

Item: TypeAlias = "dict[str, Document]"

SPILL_BYTES = 350_000
"""Items above this size are spilled; the service refuses them at 400 KB."""

_DIGEST_CHARS = 12
_BESIDE_RESULT = frozenset({"PK", "SK", "digest", "timings", EXPIRES_AT})

_HEAD_ROOM_BYTES = 16
"""For the attribute that counts the parts."""


@dataclass(frozen=True, slots=True)
class SpilledItem:
    """An item ready to be stored: the parts first, then the head."""

    head: Item
    parts: tuple[Item, ...]

    @property
    def all(self) -> tuple[Item, ...]:
        """In the order of writing."""
        return (*self.parts, self.head)


def checked(item: Mapping[str, Document], content: bytes) -> bytes:
    """An item's content; raises ValueError when its digest is another one: something changed it since."""
    stored, found = text(item["digest"]), bytes_digest(content)
    if stored != found:
        raise ValueError(
            f"item {item['SK']!r} does not match its digest: it says {stored:.12}, its content {found:.12}"
        )
    return content


def part_prefix(sort_key: str, digest: str) -> str:
    """What the sort keys of an item's parts begin with, before their numbers."""
    return f"{sort_key}#{digest[:_DIGEST_CHARS]}"


def job_item(run: RunRecord) -> Item:
    """The job's state item, as `begin` writes it."""
    item: Item = {
        "PK": run.uid,
        "SK": JOB_KEY,
        "namespace": run.namespace,
        "name": run.name,
        "plan_digest": run.plan_digest,
        "segments": run.segments,
        "epoch": run.epoch,
        "state": "Running",
    }
    return item if run.keys == FIRST_KEYS else item | {"keys": keys_document(run.epoch, run.keys)}


def run_from_item(item: Mapping[str, Document]) -> RunRecord:
    """The run that a job's state item describes; raises KeyError, TypeError or ValueError on anything else."""
    epoch = whole(item["epoch"])
    return record(RunRecord, item, uid=text(item["PK"]), keys=keys_of_epoch(item.get("keys"), epoch))


def finished_run_from_item(item: Mapping[str, Document]) -> RunRecord | None:
    """The newest finished epoch that a job's state item tells of, which may be older than the epoch that owns it.

    Raises:
        KeyError, TypeError, ValueError: the item is something else.
    """
    if "finished_epoch" not in item:
        return None
    epoch = whole(item["finished_epoch"])
    return replace(
        run_from_item(item),
        plan_digest=text(item["finished_plan_digest"]),
        segments=whole(item["finished_segments"]),
        epoch=epoch,
        keys=keys_of_epoch(item.get("finished_keys"), epoch),
    )


def commit_item(run: RunRecord, commit: SegmentCommit, max_bytes: int = SPILL_BYTES) -> SpilledItem:
    """A segment's commit as an item."""
    segment = commit.result.segment
    item: Item = {
        "PK": segment_partition(run, segment % SHARDS),
        "SK": segment_sort_key(segment, run.keys),
        "digest": commit.digest,
        "timings": timings_document(commit.timings),
    }
    return spill(item | result_document(commit.result), commit.digest, max_bytes, run.keys)


def commit_from_item(item: Mapping[str, Document]) -> SegmentCommit:
    """The inverse of `commit_item`, parts already joined.

    Raises:
        KeyError, TypeError, ValueError: it is something else, or does not have the digest that it says.
    """
    checked(item, canonical({name: value for name, value in item.items() if name not in _BESIDE_RESULT}))
    return SegmentCommit(
        result=result_from_document(item),
        digest=text(item["digest"]),
        timings=timings_from_document(mapping(item["timings"])),
    )


def conflict_item(run: RunRecord, conflict: SegmentConflict) -> Item:
    """What tells of a segment's second result as an item."""
    key = {"PK": segment_partition(run, 0), "SK": conflict_sort_key(conflict.segment, run.keys)}
    return key | asdict(conflict)


def conflict_from_item(item: Mapping[str, Document]) -> SegmentConflict:
    """The inverse of `conflict_item`; raises KeyError or TypeError on anything else."""
    return record(SegmentConflict, item)


def summary_item(
    run: RunRecord, summary: Mapping[str, Document], digest: str, max_bytes: int = SPILL_BYTES
) -> SpilledItem:
    """A summary as an item."""
    item: Item = {"PK": run.uid, "SK": summary_sort_key(run.epoch), "digest": digest, "summary": summary}
    return spill(item, digest, max_bytes, run.keys)


def outbox_item(run: RunRecord, notification: str) -> Item:
    """A notification that waits to be published; `published` becomes 1 once it was."""
    return {"PK": run.uid, "SK": outbox_sort_key(run.epoch), "notification": notification, "published": 0}


def spill(item: Item, digest: str, max_bytes: int = SPILL_BYTES, keys: int = NEWEST_KEYS) -> SpilledItem:
    """Moves lists of an item into parts until the head is small enough.

    Args:
        item: with its keys "PK" and "SK".
        digest: of the whole; becomes part of the parts' keys.
        max_bytes: largest item that is left whole.
        keys: their version.

    Raises:
        ItemTooLarge: the head has no list left to move, or a single element is over the limit.
        SinkError: there are more parts than keys for them.
    """
    size_bytes = item_bytes(item)
    if size_bytes <= max_bytes:
        return SpilledItem(item, ())
    left = _Left(item)
    chunks: list[tuple[str, Sequence[Document]]] = []
    for path in _by_urgency(item, max_bytes):
        if size_bytes <= max_bytes - _HEAD_ROOM_BYTES:
            break
        values = left.take(path)
        # Three quarters leave room for the part's keys and path.
        chunks += [(path, chunk) for chunk in _chunks(values, max_bytes * 3 // 4)]
        size_bytes -= _list_bytes(values) - _list_bytes([])
    head = left.item
    # A list is filled again before the lists inside its elements are.
    chunks.sort(key=lambda chunk: chunk[0].count("/"))
    head["parts"] = len(chunks)
    prefix = part_prefix(text(item["SK"]), digest)
    parts = tuple(
        {"PK": item["PK"], "SK": part_sort_key(prefix, number, keys), "path": path, "values": chunk}
        for number, (path, chunk) in enumerate(chunks, 1)
    )
    largest_bytes = max(item_bytes(one) for one in (head, *parts))
    if largest_bytes > max_bytes:
        raise ItemTooLarge(
            f"item {item['SK']!r} has a piece of {largest_bytes} bytes that cannot be divided; {max_bytes} fit",
            hint="Use longer windows or a higher threshold.",
        )
    return SpilledItem(head, parts)


def join_items(stored: Iterable[Mapping[str, Document]]) -> Iterator[Item]:
    """Whole items from a partition's items by ascending sort key; parts of other digests and of no head are dropped.

    Raises:
        ValueError: a part is missing.
    """
    head: Item | None = None
    prefix, expected, seen = "", 0, 0
    for item in stored:
        key = text(item["SK"])
        if head is not None and key.startswith(f"{head['SK']}#"):
            if key.startswith(prefix):
                _append(head, text(item["path"]), items(item["values"]))
                seen += 1
            continue
        if head is not None:
            yield _finished(head, expected, seen)
            head = None
        if is_part_key(key):
            continue
        head = cast("Item", _copy(item))
        expected, seen = whole(head.pop("parts", 0)), 0
        prefix = part_prefix(key, text(item["digest"]))
    if head is not None:
        yield _finished(head, expected, seen)


def first_moved(parts: Iterable[Mapping[str, Document]], path: str) -> Sequence[Document]:
    """What the first part holds that was moved from a path; () when there is none.

    Args:
        parts: of one item, by ascending sort key: those from fewer steps come first.
        path: of a list, as in "summary/failed_inputs".
    """
    for part in parts:
        found = text(part["path"])
        if found == path:
            return items(part["values"])
        if found.count("/") > path.count("/"):
            break
    return ()


def _finished(head: Item, expected: int, seen: int) -> Item:
    if expected != seen:
        raise ValueError(f"item {head['SK']!r} has {seen} of its {expected} parts")
    return head


def _copy(value: Document) -> Document:
    """A copy whose maps and lists can be changed."""
    if isinstance(value, Mapping):
        return {name: _copy(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(inner) for inner in value]
    return value


class _Left:
    """What is left of an item whose lists are taken out one by one; the item itself and all in it stay as they are.

    Attributes:
        item: the rest.
    """

    def __init__(self, item: Item) -> None:
        self.item: Item = dict(item)
        self._copies: dict[int, Document] = {id(self.item): self.item}

    def take(self, path: str) -> Sequence[Document]:
        """The list at a path, in whose place an empty one stays."""
        place: Any = self.item
        *steps, last = path.split("/")
        for step in steps:
            key = int(step) if isinstance(place, list) else step
            if id(place[key]) not in self._copies:
                copied: Any = dict(place[key]) if isinstance(place[key], Mapping) else list(place[key])
                self._copies[id(copied)] = place[key] = copied
            place = place[key]
        key = int(last) if isinstance(place, list) else last
        values: Sequence[Document] = place[key]
        place[key] = []
        return values


def _by_urgency(head: Item, max_bytes: int) -> Iterator[str]:
    """Paths of lists to move: large columns, then lists of maps as wholes, then whatever is left."""
    large: list[tuple[int, str]] = []
    nested: list[tuple[int, int, str]] = []
    for path, values in _lists(head, ""):
        size_bytes = _list_bytes(values)
        if _is_of_maps(values):
            nested.append((path.count("/"), -size_bytes, path))
        elif size_bytes >= max_bytes // 16:
            large.append((-size_bytes, path))
    yield from (path for _, path in sorted(large))
    moved: list[str] = []
    for _, _, path in sorted(nested):
        if not _is_inside(path, moved):
            moved.append(path)
            yield path
    # Of the small ones there may be very many, and rarely their turn comes.
    small = [(-_list_bytes(values), path) for path, values in _lists(head, "") if not _is_of_maps(values)]
    for size, path in sorted(small):
        if -size < max_bytes // 16 and not _is_inside(path, moved):
            yield path


def _is_of_maps(values: Sequence[Document]) -> bool:
    return not isinstance(values, Column) and any(isinstance(inner, Mapping | list | tuple) for inner in values)


def _is_inside(path: str, outer: Iterable[str]) -> bool:
    return any(path.startswith(f"{prefix}/") for prefix in outer)


def _lists(value: Document, path: str) -> Iterator[tuple[str, Sequence[Document]]]:
    """Every list in the document with its path, as in "videos/0/presence/first_ms"."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _lists(inner, f"{path}/{name}" if path else name)
    elif isinstance(value, Column):
        yield path, value
    elif isinstance(value, list | tuple):
        yield path, value
        for at, inner in enumerate(value):
            if isinstance(inner, Mapping | list | tuple | Column):
                yield from _lists(inner, f"{path}/{at}")


def _chunks(values: Sequence[Document], max_bytes: int) -> Iterator[Sequence[Document]]:
    if isinstance(values, Column):
        yield from values.pieces(max_bytes, _list_bytes([0]) - item_bytes({"": 0}))
        return
    chunk: list[Document] = []
    size_bytes = 0
    for value in values:
        value_bytes = _list_bytes([value])
        if chunk and size_bytes + value_bytes > max_bytes:
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(value)
        size_bytes += value_bytes
    if chunk:
        yield chunk


def _list_bytes(values: Sequence[Document]) -> int:
    return item_bytes({"": values})


def _append(head: Item, path: str, values: Iterable[Document]) -> None:
    place: Document = head
    for step in path.split("/"):
        place = place[int(step)] if isinstance(place, list) else mapping(place)[step]
    if not isinstance(place, list):
        raise ValueError(f"part of item {head['SK']!r} belongs to {path!r}, which is not a list")
    place.extend(values)
