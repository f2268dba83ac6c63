"""The layers of the package as a page shows them: from the import contracts of `pyproject.toml`, which hold the order.

`scripts/generate` puts them into docs/design/architecture.md.
"""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN = (
    "<!-- Layers: `make generate` writes from here on, from `tool.importlinter` in pyproject.toml. Do not edit. -->\n"
)
END = "<!-- Layers: end of what `make generate` writes. -->\n"
Layers = list[list[str]]
"""From top to bottom; those of one row do not import each other."""


def page_with_layers(page: str, root: Path) -> str:
    """The page with the current diagram and table between its two marks; what people wrote around them stays.

    Args:
        page: text with both marks.
        root: of the repository, for its `pyproject.toml` and the packages' docstrings.

    Raises:
        ValueError: the page lacks a mark, or a layer has no module or no docstring.
        KeyError: `pyproject.toml` has no import contracts.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page lacks the marks between which the layers are written")
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contracts = [one for one in settings["contracts"] if one["type"] == "layers"]
    (outer,) = (_layers(one) for one in contracts if "containers" not in one)
    inner = {name: _layers(one) for one in contracts for name in one.get("containers", ())}
    source = root / "operator/src"
    rows = [_row(source, name, inner.get(name, [])) for layer in outer for name in layer]
    table = "\n".join(["| package | what it is | its parts, from top to bottom |", "|---|---|---|", *rows])
    return f"{head}{BEGIN}\n{_diagram(outer)}\n\n{table}\n\n{END}{tail}"


def _layers(contract: Mapping[str, Any]) -> Layers:
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def _diagram(layers: Layers) -> str:
    lines = ["```mermaid", "flowchart TD"]
    for above, below in itertools.pairwise(layers):
        lines.append(f"    {_nodes(above)} --> {_nodes(below)}")
    return "\n".join([*lines, "```"])


def _nodes(layer: Sequence[str]) -> str:
    return " & ".join(_short(name) for name in layer)


def _row(source: Path, package: str, parts: Layers) -> str:
    inside = " → ".join(", ".join(f"`{name}`" for name in row) for row in parts) or "-"
    return f"| `{_short(package)}` | {_purpose(source, package)} | {inside} |"


def _purpose(source: Path, package: str) -> str:
    """The first sentence of a package's docstring."""
    path = source / package.replace(".", "/")
    for module in (path / "__init__.py", path.with_suffix(".py")):
        if module.exists():
            text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
            if text is None:
                raise ValueError(f"{package} has no docstring")
            first = " ".join(text.split("\n\n")[0].split())
            return re.split(r"(?<=\.)\s", first, maxsplit=1)[0]
    raise ValueError(f"{package} is a layer in pyproject.toml, and there is no such module")


def _short(module: str) -> str:
    return module.removeprefix("videojob.")
