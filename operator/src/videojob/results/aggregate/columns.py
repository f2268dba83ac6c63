"""Whole numbers in little memory: a column takes four bytes a number where a list of Python's own takes forty.

A job of 100,000 segments may have a million presence intervals. They are kept in such columns from the moment that they
are final until they are bytes for the store, which takes them piece by piece.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from videojob.errors import ResultsIncomplete
from videojob.results.aggregate.segment_results import Presence

PRESENCE = ("class_id", "first_ms", "last_ms", "peak_ms", "peak_score_ppm", "x_min", "y_min", "x_max", "y_max")
"""Columns of a table of presence intervals."""

_BLOCK = 1 << 15  # numbers that are probed concurrently
_SHORT, _LONG = "i", "q"
_SHORT_END, _LONG_END = 1 << 31, 1 << 63


class Column(Sequence[int]):
    """Neighbouring numbers of a column, never copied; a slice of it is another one.

    Args:
        values: the whole column, which may still grow behind `stop`.
        start, stop: the range.
    """

    __slots__ = ("_start", "_stop", "_values")

    def __init__(self, values: array[int], start: int = 0, stop: int | None = None) -> None:
        self._values, self._start = values, start
        self._stop = len(values) if stop is None else stop

    def __len__(self) -> int:
        """How many numbers."""
        return self._stop - self._start

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Column: ...
    def __getitem__(self, at: int | slice) -> int | Column:
        """A number, or neighbours."""
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step != 1:
                raise ValueError("a column gives neighbours only")
            return Column(self._values, self._start + start, self._start + max(start, stop))
        inside = at + len(self) if at < 0 else at
        if not 0 <= inside < len(self):
            raise IndexError(at)
        return self._values[self._start + inside]

    def __iter__(self) -> Iterator[int]:
        """The numbers; a block of them is copied at a time."""
        for block in self.blocks():
            yield from block

    def __eq__(self, other: object) -> bool:
        """Whether both have the same numbers."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(int.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """As a list's."""
        return f"Column({list(self)})"

    def blocks(self) -> Iterator[array[int]]:
        """The numbers, some thousands at a time."""
        for start in range(self._start, self._stop, _BLOCK):
            yield self._values[start : min(start + _BLOCK, self._stop)]

    @property
    def stored_bytes(self) -> int:
        """Size of its numbers as DynamoDB counts them (`write_cost`), without what a list of them adds."""
        return sum(int(sizes.sum()) for sizes in self._sizes())

    def pieces(self, max_bytes: int, extra_bytes: int) -> Iterator[Column]:
        """What it is stored in: neighbours, as many at a time as fit.

        Args:
            max_bytes: of a piece, though a number that is larger by itself is a piece, too.
            extra_bytes: that each number takes besides its own.
        """
        sizes = [np.zeros(0, np.uint8), *self._sizes()]
        ends = np.cumsum(np.concatenate(sizes), dtype=np.int64) + extra_bytes * np.arange(1, len(self) + 1)
        begin = 0
        while begin < len(self):
            before = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + max_bytes, side="right")))
            yield self[begin:end]
            begin = end

    def _sizes(self) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
        for block in self.blocks():
            yield _number_sizes(np.frombuffer(block, dtype=block.typecode).astype(np.int64))


class PresenceColumns(Sequence[Presence]):
    """Presence intervals in columns; equal to any sequence of the same intervals."""

    __slots__ = ("_columns", "_start", "_stop")

    def __init__(self) -> None:
        self._columns = [array(_SHORT) for _ in PRESENCE]
        self._start = 0
        self._stop: int | None = None  # None for all that there are

    @staticmethod
    def of(spans: Iterable[Presence]) -> PresenceColumns:
        """Columns with these."""
        made = PresenceColumns()
        for span in spans:
            made.append(span)
        return made

    @staticmethod
    def of_table(columns: Sequence[Sequence[int]]) -> PresenceColumns:
        """Columns of a document's table, in the order of `PRESENCE`, or none.

        Raises:
            TypeError, ValueError: it is anything else.
        """
        made = PresenceColumns()
        if not columns:
            return made
        if len({len(column) for column in columns}) > 1:
            raise ValueError("the columns of a table have different lengths")
        made._columns = [_packed(column) for column in columns]
        return made

    def append(self, span: Presence) -> None:
        """One more. Raises ResultsIncomplete for a number that no segment can have."""
        rows = len(self._columns[0])
        row = (span.class_id, span.first_ms, span.last_ms, span.peak_ms, span.peak_score_ppm, *span.peak_box)
        try:
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
        except OverflowError:
            for at, column in enumerate(self._columns):
                del column[rows:]
                if not -_SHORT_END <= row[at] < _SHORT_END:
                    self._widen(at)
            if not all(-_LONG_END <= value < _LONG_END for value in row):
                raise _beyond_measure(span) from None
            self.append(span)

    def extend(self, other: PresenceColumns) -> None:
        """All of the other's, whose numbers are copied as they are."""
        for at, column in enumerate(other.table_columns()):
            for block in column.blocks():
                if block.typecode == _LONG:
                    self._widen(at)
                mine = self._columns[at]
                mine.extend(block if block.typecode == mine.typecode else array(mine.typecode, block))

    def part(self, start: int, stop: int) -> PresenceColumns:
        """The intervals in a range, which stay where they are."""
        made = PresenceColumns()
        made._columns, made._start, made._stop = self._columns, start, stop
        return made

    def table_columns(self) -> list[Column]:
        """In the order of `PRESENCE`."""
        stop = len(self._columns[0]) if self._stop is None else self._stop
        return [Column(values, self._start, stop) for values in self._columns]

    def __len__(self) -> int:
        """How many intervals."""
        return (len(self._columns[0]) if self._stop is None else self._stop) - self._start

    @overload
    def __getitem__(self, at: int) -> Presence: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Presence, ...]: ...
    def __getitem__(self, at: int | slice) -> Presence | tuple[Presence, ...]:
        """One, or several."""
        if isinstance(at, slice):
            return tuple(self[one] for one in range(*at.indices(len(self))))
        return _presence(tuple(column[at] for column in self.table_columns()))

    def __iter__(self) -> Iterator[Presence]:
        """In order."""
        return map(_presence, zip(*self.table_columns(), strict=True))

    def __eq__(self, other: object) -> bool:
        """Whether the other is a sequence of the same intervals."""
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """As a list's."""
        return f"PresenceColumns({list(self)})"

    def _widen(self, at: int) -> None:
        """One column; whoever holds a part of these columns sees the same ones."""
        if self._columns[at].typecode == _SHORT:
            self._columns[at] = array(_LONG, self._columns[at])


def _presence(row: tuple[int, ...]) -> Presence:
    class_id, first_ms, last_ms, peak_ms, peak_score_ppm, x_min, y_min, x_max, y_max = row
    return Presence(class_id, first_ms, last_ms, peak_ms, peak_score_ppm, (x_min, y_min, x_max, y_max))


def _packed(values: Sequence[int]) -> array[int]:
    for typecode in (_SHORT, _LONG):
        try:
            return array(typecode, values)
        except OverflowError:
            continue
    raise ValueError("a number has more than 64 bits")


def _beyond_measure(span: Presence) -> ResultsIncomplete:
    return ResultsIncomplete(
        f"an interval of class {span.class_id} has a number of more than 64 bits",
        hint="No worker of this version writes that: remove the job's items, and run the job again.",
        retryable=False,
    )


def _number_sizes(values: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What `write_cost` says of each number: a byte for two digits, zeros at its end not counted, and one."""
    left = np.abs(values)
    while True:
        round_ones = (left != 0) & (left % 10 == 0)
        if not round_ones.any():
            break
        left = np.where(round_ones, left // 10, left)
    digits = np.zeros(len(left), np.int64)
    most = int(left.max(initial=0))
    power = 1
    while power <= most:
        digits += left >= power
        power *= 10
    sizes: np.ndarray[Any, np.dtype[np.uint8]] = ((digits + 1) // 2 + 1 + (values < 0)).astype(np.uint8)
    return sizes
