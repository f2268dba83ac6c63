"""How commands write. Nothing that comes from a file, a store or a model is ever markup, an emoji code or an escape.

People get `rich` text through `console`, `cell` and `tell`; scripts get bytes that `rich` never sees: `write_json`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from videojob.printable import printable

_ANY_WIDTH = 10_000


def console(*, stderr: bool = False) -> Console:
    """A console that prints what it is given: no markup, no emoji codes, no colours of its own.

    Into a file or a pipe, a table is as wide as its cells: `rich` would cut them for a terminal of 80 columns.
    """
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else _ANY_WIDTH
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


def cell(text: str, style: str = "") -> Text:
    """Text for a table or a live view."""
    return Text(printable(text), style=style)


def tell(where: Console, text: str, style: str = "") -> None:
    """A line that is never wrapped; a text of several lines keeps them."""
    where.print(Text(printable(text, keep="\n"), style=style), soft_wrap=True)


def write_json(document: Any, *, indent: int | None = None) -> None:
    """One JSON document on standard output, in ASCII: no locale can break it and no terminal obeys it."""
    separators = (",", ":") if indent is None else None
    sys.stdout.write(json.dumps(document, indent=indent, separators=separators) + "\n")
