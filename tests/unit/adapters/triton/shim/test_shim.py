"""Requests that the server's batcher put together: joined, run, cut apart, and each with its own failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from support.triton import filter_graph, frames
from videojob.adapters.triton.shim.joined import Array, Asked, run_all
from videojob.adapters.triton.shim.onnx_engine import OnnxEngine

OUTPUTS = ("mean", "mixed")


class Doubling:
    """An engine that doubles its input, refuses the value 13, and notes how many frames each run had."""

    def __init__(self, chunk: int, *, rows: int | None = None) -> None:
        self.chunk = chunk
        self.runs: list[int] = []
        self._rows = rows

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], *, batched: bool) -> list[Array]:
        """Twice the input for every output."""
        del batched
        self.runs.append(len(feeds["x"]))
        if 13 in feeds["x"]:
            raise ValueError("13")
        return [feeds["x"][: self._rows] * 2 for _ in outputs]


def asked(*values: int, width: int = 2, outputs: tuple[str, ...] = ("y",)) -> Asked:
    """A request with one frame for each value."""
    return Asked({"x": np.repeat(np.array(values, np.int32)[:, None], width, axis=1)}, outputs)


def answers(found: Sequence[list[Array] | Exception]) -> list[object]:
    """The first column of the first output of each request, or the words of its failure."""
    return [str(one) if isinstance(one, Exception) else one[0][:, 0].tolist() for one in found]


@pytest.mark.parametrize(
    ("chunk", "requests", "runs"),
    [
        (1, [asked(1), asked(2), asked(3, 4)], [1, 1, 2]),
        (4, [asked(1), asked(2), asked(3, 4)], [4]),
        (16, [asked(1), asked(2), asked(3, 4)], [4]),
        (4, [asked(1), asked(2, 2, 2, 2), asked(3)], [2, 4]),
        (4, [asked(1)], [1]),
        (4, [asked(1), asked(2, width=3), asked(3), asked(4, width=3)], [2, 2]),
        (4, [asked(1), asked(2, outputs=("z",)), asked(3)], [2, 1]),
    ],
    ids=["chunk 1", "chunk 4", "gpu", "full by itself", "alone", "two sizes", "other outputs"],
)
def test_requests_share_a_run_where_that_gains(chunk: int, requests: list[Asked], runs: list[int]) -> None:
    engine = Doubling(chunk)
    found = run_all(engine, requests, batched=True)
    assert engine.runs == runs
    assert answers(found) == [(2 * one.feeds["x"][:, 0]).tolist() for one in requests]


def test_a_bad_request_fails_alone() -> None:
    engine = Doubling(4)
    assert answers(run_all(engine, [asked(1), asked(13), asked(3)], batched=True)) == [[2], "13", [6]]
    assert engine.runs == [3, 1, 1, 1]


def test_outputs_without_one_row_per_frame_are_never_cut() -> None:
    engine = Doubling(4, rows=1)
    assert answers(run_all(engine, [asked(1), asked(2)], batched=True)) == [[2], [4]]
    assert engine.runs == [2, 1, 1]


def test_a_model_without_a_batch_axis_runs_request_by_request() -> None:
    engine = Doubling(4)
    assert answers(run_all(engine, [asked(1), asked(2)], batched=False)) == [[2], [4]]
    assert engine.runs == [1, 1]


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_joined_requests_get_the_same_bits_as_alone(chunk: int, tmp_path: Path) -> None:
    onnx.save(filter_graph(), tmp_path / "model.onnx")
    engine = OnnxEngine(str(tmp_path / "model.onnx"), threads=1, chunk=chunk)
    requests = [Asked({"frames": frames(1 + seed % 3, seed=seed)}, OUTPUTS) for seed in range(6)]
    for one, found in zip(requests, run_all(engine, requests, batched=True), strict=True):
        assert not isinstance(found, Exception)
        for value, alone in zip(found, engine.run(one.feeds, OUTPUTS, batched=True), strict=True):
            np.testing.assert_array_equal(value, alone, strict=True)
