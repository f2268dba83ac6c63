"""Keys of the results table. A range of keys must sort as its numbers do, so every number has a fixed width.

    version   segments and videos   parts    partitions of an epoch
    1         6 digits              3        uid#epoch#shard
    2         9 digits              6        uid#v2#epoch#shard

A run keeps the version that it began with: the plan's head and the job's state item name it, and no name means 1. The
versions have partitions of their own, so a program that knows version 1 alone never mixes its items with those of
version 2. A number beyond its width is an error: behind it range reads would find nothing, without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from videojob.errors import SinkError
from videojob.results.aggregate.document import Document, mapping, whole
from videojob.video.plan import NEWEST_KEYS

FIRST_KEYS = 1
"""What a stored item means that names no version."""

SHARDS = 4
"""Partitions that one epoch's items are spread over. Part of the keys: changing it hides what was stored before."""

JOB_KEY = "JOB"
MODEL_KEY = "MODEL"
SEGMENT_PREFIX = "SEG#"
BAD_PREFIX = "BAD#"
FAIL_PREFIX = "FAIL#"
DOUBT_PREFIX = "DOUBT#"
CONFLICT_PREFIX = "CONFLICT#"
PLAN_PREFIX = "PLAN#"
GUIDE_PREFIX = "GUIDE#"
BEHIND = "~"
"""Sorts behind everything that a sort key may go on with, the keys of an item's parts included."""

_RARE_DIGITS = 6  # of epochs and planners: a job has a handful


@dataclass(frozen=True, slots=True)
class _Form:
    digits: int
    part_digits: int
    partition: str


_FORMS = {
    FIRST_KEYS: _Form(digits=6, part_digits=3, partition=""),
    NEWEST_KEYS: _Form(digits=9, part_digits=6, partition=f"v{NEWEST_KEYS}#"),
}

KEY_VERSIONS = tuple(_FORMS)


class _OfEpoch(Protocol):
    """A run, as far as keys are concerned."""

    @property
    def uid(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def keys(self) -> int: ...


def segment_partition(run: _OfEpoch, shard: int) -> str:
    """Partition key of one shard of the epoch's commits; failures and the model are in that of shard 0."""
    return f"{run.uid}#{_form(run.keys).partition}{run.epoch}#{shard}"


def plan_partition(uid: str, plan_id: str) -> str:
    """Partition key of a plan's videos."""
    return f"{uid}#plan#{plan_id}"


def segment_sort_key(segment: int, keys: int) -> str:
    """Sort key of a segment's head item, and of a usable video's under its first segment. Raises SinkError."""
    return _numbered(SEGMENT_PREFIX, "segment", segment, _form(keys).digits)


def bad_sort_key(video: int, keys: int) -> str:
    """Sort key of an input that cannot be used. Raises SinkError."""
    return _numbered(BAD_PREFIX, "input", video, _form(keys).digits)


def fail_sort_key(segment: int, keys: int) -> str:
    """Sort key of a segment's failure. Raises SinkError."""
    return _numbered(FAIL_PREFIX, "segment", segment, _form(keys).digits)


def doubt_sort_key(segment: int, reason: str, keys: int) -> str:
    """Sort key of who first met an error in a segment. Raises SinkError."""
    return f"{_numbered(DOUBT_PREFIX, 'segment', segment, _form(keys).digits)}#{reason}"


def conflict_sort_key(segment: int, keys: int) -> str:
    """Sort key of what tells that a segment had a second, different result. Raises SinkError."""
    return _numbered(CONFLICT_PREFIX, "segment", segment, _form(keys).digits)


def guide_sort_key(segment: int) -> str:
    """Sort key of a part of a video's guide, by its first segment; alike in all versions. Raises SinkError."""
    return _numbered(GUIDE_PREFIX, "segment", segment, _form(NEWEST_KEYS).digits)


def plan_sort_key(attempt: int) -> str:
    """Sort key of a plan's head. Raises SinkError."""
    return _numbered(PLAN_PREFIX, "planner", attempt, _RARE_DIGITS)


def summary_sort_key(epoch: int) -> str:
    """Sort key of an epoch's summary. Raises SinkError."""
    return _numbered("SUMMARY#", "epoch", epoch, _RARE_DIGITS)


def summary_key(uid: str, epoch: int) -> str:
    """Both keys of an epoch's summary, as a VideoJob's status names it. Raises SinkError."""
    return f"{uid} {summary_sort_key(epoch)}"


def outbox_sort_key(epoch: int) -> str:
    """Sort key of an epoch's notification. Raises SinkError."""
    return _numbered("OUTBOX#", "epoch", epoch, _RARE_DIGITS)


def part_sort_key(prefix: str, number: int, keys: int) -> str:
    """Sort key of an item's part, under the head's key and digest. Raises SinkError."""
    return _numbered(f"{prefix}#P", "part", number, _form(keys).part_digits)


def is_part_key(sort_key: str) -> bool:
    """Whether the item is a part of another."""
    return "#P" in sort_key


def segment_from_key(sort_key: str) -> int:
    """The segment of a head item's sort key, of any version."""
    return int(sort_key.removeprefix(SEGMENT_PREFIX))


def last_segment(keys: int) -> int:
    """The greatest segment, and input, that keys of this version can name."""
    return int(10 ** _form(keys).digits) - 1


def keys_document(epoch: int, keys: int) -> dict[str, Document]:
    """The version as a job's state item holds it. A program that knows version 1 alone leaves it there when it begins
    the next epoch, so it names the epoch that it is about.
    """
    return {"epoch": epoch, "version": keys}


def keys_of_epoch(stored: Document, epoch: int) -> int:
    """The inverse: of an epoch that the document says nothing about, the first version.

    Raises:
        KeyError, TypeError, ValueError: it is something else, or a version of a later release.
    """
    if stored is None or whole(mapping(stored)["epoch"]) != epoch:
        return FIRST_KEYS
    return known_keys(whole(mapping(stored)["version"]))


def keys_of_head(item: Mapping[str, Document]) -> int:
    """The version that a plan's head names. Raises TypeError and ValueError like `keys_of_epoch`."""
    return known_keys(whole(item.get("keys", FIRST_KEYS)))


def known_keys(version: int) -> int:
    """The version itself; raises ValueError for one of a later release."""
    if version not in _FORMS:
        raise ValueError(f"its keys are of version {version}, this release knows up to {NEWEST_KEYS}")
    return version


def _form(keys: int) -> _Form:
    return _FORMS[known_keys(keys)]


def _numbered(prefix: str, what: str, number: int, digits: int) -> str:
    if not 0 <= number < 10**digits:
        raise SinkError(
            f"{what} {number} has no key: the keys of this run hold numbers up to {10**digits - 1}",
            hint="Divide the inputs among several jobs, or use longer segments.",
        )
    return f"{prefix}{number:0{digits}d}"
