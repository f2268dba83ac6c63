"""Parts of requirements/dev.txt: the pins of some packages and of all that they need, hashes included."""

from __future__ import annotations

import re
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.cluster.control_plane import ROOT


def pins(*wanted: str) -> str:
    """A hashed requirements file for packages as in "moto[server]", taken out of requirements/dev.txt."""
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", (ROOT / "requirements" / "dev.txt").read_text())
    by_name: dict[str, str] = {
        canonicalize_name(re.split(r"[=\[ ]", block, maxsplit=1)[0]): block for block in blocks if "==" in block
    }
    return "\n".join(by_name[name] for name in sorted(needed_by(*wanted)) if name in by_name) + "\n"


def needed_by(*wanted: str) -> set[str]:
    """Names of the distributions that these need, themselves included."""
    waiting, found = [Requirement(one) for one in wanted], set[str]()
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for text in metadata.requires(name) or ():
            needed = Requirement(text)
            marks = [{"extra": extra} for extra in ("", *extras)]
            if needed.marker is None or any(needed.marker.evaluate(mark) for mark in marks):
                waiting.append(needed)
    return found
