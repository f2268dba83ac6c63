"""Reads YAML text into plain values that remember their places, and refuses what no honest manifest needs.

Two promises:

- The text means what it means to kubectl, or it is refused. Where YAML readers disagree (`010`, `1:30`, `1_000`), the
  author is asked to write it so that they agree.
- Work is bounded: size, depth and number of values are capped while the parser still streams, anchors and aliases are
  refused at the first one, so no small text can unfold into a large value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

MAX_DEPTH = 20
MAX_VALUES = 50_000

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {
    word: truth
    for truth, words in ((True, ("true", "yes", "on", "y")), (False, ("false", "no", "off", "n")))
    for lower in words
    for word in (lower, lower.capitalize(), lower.upper())
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})\Z")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?\Z")
_AMBIGUOUS = re.compile(
    r"[-+]?(0[0-7_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|"
    r"[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))\Z|\.(nan|NaN|NAN)\Z"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text; both numbers start at 1, as editors count."""

    line: int
    column: int


class YamlProblem(Exception):
    """The text is refused.

    Attributes:
        place: where.
        what: what is wrong.
        fix: what would be right.
    """

    def __init__(self, place: Place, what: str, fix: str) -> None:
        super().__init__(f"{what}. {fix}")
        self.place = place
        self.what = what
        self.fix = fix


@dataclass(slots=True)
class Tree:
    """One document.

    Attributes:
        value: the document as plain values.
        places: where each value stands, by its path; for a field that is its name.
        words: what is written, by its path, for each value that is no text: `no` is false, and `1.50` is 1.5.
    """

    value: Plain
    places: dict[tuple[str | int, ...], Place] = field(default_factory=dict)
    words: dict[tuple[str | int, ...], str] = field(default_factory=dict)

    def place(self, path: tuple[str | int, ...]) -> Place:
        """Where the value at `path` stands, or the nearest enclosing one that is written down."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return Place(1, 1)


_Path = tuple[str | int, ...]
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str) -> list[Tree]:
    """All documents of a text, empty ones left out.

    Raises:
        YamlProblem: the text is not YAML, or is refused.
    """
    control = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
    if control is not None:
        raise YamlProblem(
            _place_of(text, control.start()), "there is a control character", "Save the file as plain text."
        )
    try:
        return _Reader(yaml.parse(text, Loader=_LOADER)).documents()
    except yaml.MarkedYAMLError as error:
        raise _syntax_problem(error, text) from error
    except yaml.YAMLError as error:
        raise YamlProblem(Place(1, 1), f"this is not YAML: {error}", "Save the file as plain UTF-8 text.") from error


def _place_of(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def _mark(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> YamlProblem:
    mark = error.problem_mark or error.context_mark
    place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return YamlProblem(place, "a tab indents this line", "Indent with spaces: YAML knows no tabs.")
    said = " ".join(part for part in (error.context, error.problem) if part)
    return YamlProblem(place, f"this is not YAML: {said}", "Check the indentation, and for missing quotes near here.")


class _Reader:
    """Builds trees from parser events; one use."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._values = 0
        self._places: dict[_Path, Place] = {}
        self._words: dict[_Path, str] = {}

    def documents(self) -> list[Tree]:
        """All documents that hold something."""
        trees = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._places, self._words = {}, {}
                value = self._value(next(self._events), ())
                if value is not None:
                    trees.append(Tree(value, self._places, self._words))
        return trees

    def _value(self, event: yaml.Event, path: _Path) -> Plain:
        place = _mark(event)
        self._places.setdefault(path, place)
        self._refuse(event, place, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        assert isinstance(event, yaml.ScalarEvent), event  # noqa: S101 - nothing else can begin a value
        value = _scalar(event, place)
        if not isinstance(value, str):
            self._words[path] = event.value
        return value

    def _refuse(self, event: yaml.Event, place: Place, path: _Path) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise YamlProblem(place, "anchors and aliases are not accepted", "Write the value out where it is used.")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise YamlProblem(place, f"the tag {tag!r} is not accepted", "Write the value without a tag.")
        self._values += 1
        if self._values > MAX_VALUES:
            raise YamlProblem(place, f"there are more than {MAX_VALUES} values", "Split the manifest.")
        if len(path) > MAX_DEPTH:
            raise YamlProblem(
                place, f"this is nested deeper than {MAX_DEPTH} levels", "A VideoJob never is: check the indentation."
            )

    def _sequence(self, path: _Path) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: _Path) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place = _mark(event)
            self._refuse(event, place, path)
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlProblem(place, "a field's name must be a plain word", 'Write "name: value".')
            name = event.value
            if name in values:
                first = self._places[(*path, name)].line
                raise YamlProblem(
                    place, f"the field {name!r} occurs twice, first in line {first}", "Remove one of them."
                )
            if name == "<<" and event.implicit[0]:
                raise YamlProblem(place, "merge keys (<<) are not accepted", "Write the fields out.")
            self._places[*path, name] = place
            values[name] = self._value(next(self._events), (*path, name))
        return values


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if _AMBIGUOUS.match(text):
        raise YamlProblem(
            place,
            f"YAML readers disagree about what {text[:40]} means",
            f'Write it in quotes if it is text ("{text[:40]}"), else as a plain decimal number.',
        )
    return text
