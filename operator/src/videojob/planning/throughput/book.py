"""The catalogue as it is kept, exported and imported: what was measured here, bounded, as JSON. Pure.

Samples are kept, not figures made of them: so that a later job weighs as much as an earlier one, and a bad third of
them moves nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from videojob.planning.throughput.learn import KEPT, measurement
from videojob.planning.throughput.measured import Measurement, Quantity, Subject

SCHEMA = "videojob.dev/speeds/v1"
MOST_SUBJECTS = 400
"""With `KEPT` samples each they take a third of what a ConfigMap holds."""
MOST_BYTES = 700_000
"""Of a text that is read at all."""

_SPEEDS = frozenset({Quantity.REPLICA, Quantity.DECODE, Quantity.KEYFRAMES})
_SPEED_RANGE, _SECONDS_RANGE = (0.001, 1_000_000.0), (0.01, 86_400.0)
_MOST_WORD = 128
_MOST_NUMBER = 2**53


class NotACatalogue(ValueError):
    """A text is no catalogue of speeds; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Series:
    """The newest samples of one subject, oldest first; frames/s or seconds. `name` is the model's, for people."""

    values: tuple[float, ...]
    at_s: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """What was measured here, by subject."""

    series: Mapping[Subject, Series] = field(default_factory=dict)

    def measurements(self) -> tuple[Measurement, ...]:
        """What the samples of each subject say together, ordered by subject."""
        return tuple(measurement(key, one.values, one.at_s, one.name) for key, one in sorted(self.series.items()))

    def adding(self, found: Mapping[Subject, tuple[str, Sequence[float]]], at_s: int) -> Book:
        """With a job's samples as well: of each subject the newest are kept, and of subjects the last measured.

        Args:
            found: as `learn.by_subject` gives them; samples that `parse` would reject are left out.
            at_s: when they were measured, in seconds since the epoch.
        """
        series = dict(self.series)
        for subject, (name, values) in found.items():
            low, high = _range(subject.quantity)
            good = tuple(_rounded(value) for value in values if low <= value <= high)
            if good:
                before = series.get(subject, Series((), 0))
                series[subject] = Series((*before.values, *good)[-KEPT:], max(before.at_s, at_s), name or before.name)
        return Book(_newest(series))

    def merged(self, other: Book) -> Book:
        """Both; where both know a subject, the samples that were measured last count as the newer."""
        series = dict(self.series)
        for subject, one in other.series.items():
            first, second = sorted((series.get(subject, Series((), 0)), one), key=lambda each: each.at_s)
            values = (*first.values, *second.values)[-KEPT:]
            series[subject] = Series(values, second.at_s, second.name or first.name)
        return Book(_newest(series))

    def of_models(self, digests: Iterable[str]) -> Book:
        """Without the speeds of other models than these."""
        known = {"", *digests}
        return Book(
            {
                key: one
                for key, one in self.series.items()
                if key.quantity in {Quantity.DECODE, Quantity.KEYFRAMES} or key.of in known
            }
        )


def text_of(book: Book) -> str:
    """The book as JSON; `parse` reads it back."""
    rows = [
        {
            "quantity": str(key.quantity),
            "of": key.of,
            "name": one.name,
            "pixels": key.pixels,
            "hardware": key.hardware,
            "runtime": key.runtime,
            "batch": key.batch,
            "at": one.at_s,
            "values": list(one.values),
        }
        for key, one in sorted(book.series.items())
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{{"schema": "{SCHEMA}", "measured": [\n{lines}\n]}}\n'


def parse(text: str) -> Book:
    """A book from its JSON.

    Raises:
        NotACatalogue: it is none, or has a figure that cannot be; nothing of it is taken then.
    """
    if len(text) > MOST_BYTES:
        raise NotACatalogue(f"it has {len(text):,} characters, and a catalogue has {MOST_BYTES:,} at most")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotACatalogue(f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise NotACatalogue(f'it is not a catalogue of speeds: its "schema" is not "{SCHEMA}"')
    rows = document.get("measured")
    if not isinstance(rows, list):
        raise NotACatalogue('its "measured" is not a list')
    if len(rows) > MOST_SUBJECTS:
        raise NotACatalogue(f"it has {len(rows):,} rows, and a catalogue has {MOST_SUBJECTS} at most")
    series: dict[Subject, Series] = {}
    for number, row in enumerate(rows, start=1):
        try:
            subject, one = _row(row)
        except (KeyError, TypeError, ValueError) as error:
            words = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise NotACatalogue(f"row {number}: {words}") from error
        if subject in series:
            raise NotACatalogue(f"row {number}: another row has the same subject")
        series[subject] = one
    return Book(series)


def _row(row: Any) -> tuple[Subject, Series]:
    if not isinstance(row, dict):
        raise TypeError("it is not an object")
    try:
        quantity = Quantity(row["quantity"])
    except ValueError:
        raise ValueError(f"{row['quantity']!r} is none of {', '.join(Quantity)}") from None
    subject = Subject(
        quantity,
        _word(row, "of"),
        _number(row, "pixels"),
        _word(row, "hardware"),
        _word(row, "runtime"),
        _number(row, "batch"),
    )
    if not subject.hardware:
        raise ValueError("hardware is empty")
    if quantity in _SPEEDS and not (subject.of and subject.pixels):
        raise ValueError("a speed needs what it is of, and pixels")
    values = row["values"]
    if not isinstance(values, list) or not 0 < len(values) <= KEPT:
        raise ValueError(f"values is not a list of 1 to {KEPT} numbers")
    return subject, Series(tuple(_value(value, quantity) for value in values), _number(row, "at"), _word(row, "name"))


def _word(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or len(value) > _MOST_WORD or not (value.isprintable() or not value):
        raise ValueError(f"{name} is not a word of at most {_MOST_WORD} characters")
    return value


def _number(row: Mapping[str, Any], name: str) -> int:
    value = row[name]
    if type(value) is not int or not 0 <= value <= _MOST_NUMBER:
        raise ValueError(f"{name} is not a whole number from 0")
    return value


def _value(value: Any, quantity: Quantity) -> float:
    low, high = _range(quantity)
    unit = "frames/s" if quantity in _SPEEDS else "s"
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is not a number of {unit}")
    if not low <= value <= high:
        raise ValueError(f"{value:g} {unit} cannot be: {low:g} to {high:g} are taken")
    return float(value)


def _range(quantity: Quantity) -> tuple[float, float]:
    return _SPEED_RANGE if quantity in _SPEEDS else _SECONDS_RANGE


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _newest(series: Mapping[Subject, Series]) -> dict[Subject, Series]:
    by_age = sorted(series.items(), key=lambda item: (-item[1].at_s, item[0]))
    return dict(by_age[:MOST_SUBJECTS])
