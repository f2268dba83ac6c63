"""Runs what the server's batcher put together as one batch. Only numpy: it is copied beside model.py.

The batcher hands over several requests at once, each with its own few frames. Where more frames in one run are faster
(a chunk over 1), requests that go together are joined, run and cut apart again; where one at a time is fastest, each
runs as it came, without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Asked:
    """One request: its input tensors by name, and the outputs that it wants."""

    feeds: dict[str, Array]
    outputs: tuple[str, ...]

    @property
    def count(self) -> int:
        """Frames, where the first axis counts them."""
        return len(next(iter(self.feeds.values())))

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for requests that may share a run."""
        tensors = [(name, value.shape[1:], value.dtype.str) for name, value in self.feeds.items()]
        return (self.outputs, *tensors)


class Engine(Protocol):
    """What `onnx_engine.OnnxEngine` is used for here."""

    @property
    def chunk(self) -> int:
        """Frames per run of the graph."""

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], *, batched: bool) -> list[Array]:
        """The named outputs for one batch."""


def run_all(engine: Engine, asked: Sequence[Asked], *, batched: bool) -> list[list[Array] | Exception]:
    """The outputs of every request, in order; in the place of one that failed, why.

    Args:
        engine: runs the graph.
        asked: requests as the batcher handed them over.
        batched: whether the first axis counts frames.
    """
    found: dict[int, list[Array] | Exception] = {}
    for group in _groups(asked, engine.chunk) if batched else ():
        found |= _run_joined(engine, {place: asked[place] for place in group})
    return [found[place] if place in found else _alone(engine, one, batched) for place, one in enumerate(asked)]


def _groups(asked: Sequence[Asked], chunk: int) -> list[list[int]]:
    """Places of the requests that gain by sharing runs: a request that fills its runs by itself does not."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for place, one in enumerate(asked):
        if one.count % chunk:
            kinds.setdefault(one.kind, []).append(place)
    return [places for places in kinds.values() if len(places) > 1]


def _run_joined(engine: Engine, asked: dict[int, Asked]) -> dict[int, list[Array] | Exception]:
    """What each got out of the common run; nothing when that failed, for then each must fail or succeed alone."""
    requests = list(asked.values())
    ends = np.cumsum([one.count for one in requests])
    feeds = {name: np.concatenate([one.feeds[name] for one in requests]) for name in requests[0].feeds}
    try:
        outputs = engine.run(feeds, requests[0].outputs, batched=True)
    except Exception:  # noqa: BLE001 - whatever ONNX Runtime raises: the requests are then run one by one
        return {}
    if any(value.shape[:1] != (ends[-1],) for value in outputs):
        return {}
    pieces = [np.split(value, ends[:-1]) for value in outputs]
    return {place: [piece[number] for piece in pieces] for number, place in enumerate(asked)}


def _alone(engine: Engine, one: Asked, batched: bool) -> list[Array] | Exception:
    try:
        return engine.run(one.feeds, one.outputs, batched=batched)
    except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime raises belongs to this request alone
        return error
