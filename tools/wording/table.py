"""The table of rejected phrases and names, read from `rejected.toml` beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("rejected.toml")


@dataclass(frozen=True, slots=True)
class RejectedPhrase:
    """A row of the table for texts.

    Attributes:
        pattern: matches the phrase in a text with single spaces.
        say: what to write instead.
        found: texts that the pattern must find.
        passes: similar texts that it must not find.
    """

    pattern: re.Pattern[str]
    say: str
    found: tuple[str, ...]
    passes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RejectedName:
    """A row of the table for identifiers.

    Attributes:
        words: consecutive words of a name, in lower case: `("go", "on")` rejects `let_go_on` and `GoOn`.
        say: what to use instead.
        allowed: whole names that pass, in which the words mean something else.
    """

    words: tuple[str, ...]
    say: str
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Both parts of the table, and which files they are about.

    Attributes:
        phrases: for texts.
        names: for identifiers.
        not_read: files and folders that are left out when no file is given.
        names_not_read: files and folders of which only the texts are read.
    """

    phrases: tuple[RejectedPhrase, ...]
    names: tuple[RejectedName, ...]
    not_read: tuple[Path, ...] = ()
    names_not_read: tuple[Path, ...] = ()


def read_table(path: Path = TABLE) -> Table:
    """The table of a file.

    Raises:
        ValueError: the file is not TOML, or a pattern is not a regular expression.
        KeyError: a row lacks a field.
    """
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    phrases = tuple(_phrase(row) for row in values["text"])
    names = tuple(name for row in values["name"] for name in _names(row))
    scope = {key: tuple(map(Path, paths)) for key, paths in values["scope"].items()}
    return Table(phrases, names, **scope)


def _phrase(row: Mapping[str, Any]) -> RejectedPhrase:
    try:
        pattern = re.compile(row["reject"], re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{row['reject']!r} is not a regular expression: {error}") from error
    return RejectedPhrase(pattern, row["say"], tuple(row["found"]), tuple(row.get("passes", ())))


def _names(row: Mapping[str, Any]) -> list[RejectedName]:
    allowed = frozenset(row.get("allowed", ()))
    return [RejectedName(tuple(name.split("_")), row["say"], allowed) for name in row["reject"]]
