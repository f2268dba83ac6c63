"""What writing to DynamoDB costs, by its published rules. Used to show the figure on a laptop too, and for estimates.

Rules: an item's size is the sum of its attribute names and values in UTF-8 bytes; a number takes about one byte per two
digits and one more; a list or map takes 3 bytes and one per element. A write takes one request unit per started KB,
twice that inside a transaction. On-demand price of a million write request units: us-east-1, Standard table class,
list price since November 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from videojob.results.aggregate.columns import Column
from videojob.results.aggregate.document import Document

USD_PER_MILLION_WRITE_UNITS = 0.625
UNIT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class WriteCost:
    """Write request units and what they cost at the on-demand list price."""

    write_units: float
    usd: float


def item_bytes(item: Mapping[str, Document]) -> int:
    """Size of an item as DynamoDB counts it, within its own approximation of numbers."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def write_units(size_bytes: int, *, transactional: bool = False) -> int:
    """Request units for writing an item of this size."""
    units = max(1, -(-size_bytes // UNIT_BYTES))
    return 2 * units if transactional else units


def cost_of(units: float) -> WriteCost:
    """The cost of that many write request units."""
    return WriteCost(units, units * USD_PER_MILLION_WRITE_UNITS / 1_000_000)


def one_item_per_frame(frames: int, frame_item_bytes: int = UNIT_BYTES) -> WriteCost:
    """What storing every frame as an item of its own would have cost; an item of up to 1 KB takes one unit."""
    return cost_of(frames * write_units(frame_item_bytes))


def _value_bytes(value: Document) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return _number_bytes(value)
    if isinstance(value, Mapping):
        return 3 + len(value) + item_bytes(value)
    if isinstance(value, Sequence):
        numbers = value.stored_bytes if isinstance(value, Column) else sum(map(_value_bytes, value))
        return 3 + len(value) + numbers
    return 1


def _number_bytes(value: int) -> int:
    digits = str(abs(value)).rstrip("0")
    return (len(digits) + 1) // 2 + 1 + (value < 0)
