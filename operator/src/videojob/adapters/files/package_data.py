"""The tables that are part of the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

from videojob.planning.throughput.catalogue import Catalogue
from videojob.planning.throughput.lookup import Speeds
from videojob.planning.throughput.seeds import Seeds, parse_seeds


@cache
def throughput_seeds() -> Seeds:
    """The speeds and start times that others published."""
    return parse_seeds(_text("throughput.csv"), _text("starts.csv"))


def published_speeds() -> Speeds:
    """The catalogue of speeds where nothing was measured yet."""
    return Catalogue(throughput_seeds())


def _text(name: str) -> str:
    return (resources.files("videojob") / "data" / name).read_text(encoding="utf-8")
