"""Child process of `local.triton.calibration`: times one model in chunks of different sizes. Prints JSON.

A process of its own, so that ONNX Runtime's memory is gone afterwards and a crash inside it is only a failed
measurement. CPU time is taken, not wall time: it does not mind what else runs on the machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videojob.adapters.triton.shim.onnx_engine import Array, OnnxEngine, providers
from videojob.memory import peak_rss_bytes


@dataclass(frozen=True, slots=True)
class Measurement:
    """What running the model came to on one core.

    Attributes:
        frame_ms: CPU milliseconds per frame, the best of several rounds, by frames per run; without those that gave
            other numbers than frames one by one.
        peak_rss_bytes: of a process that holds the model and runs it.
        providers: ONNX Runtime's execution providers here, fastest first.
    """

    frame_ms: dict[int, float]
    peak_rss_bytes: int
    providers: list[str]


def measure(order: dict[str, Any]) -> Measurement:
    """Times the model.

    Args:
        order: `weights`, `input`, `dtype` (numpy's word), `shape` (behind the batch), `outputs`, `chunks`, `batched`
            (whether the first axis may be cut) and `budget_s`, the CPU time after which no further round begins.
    """
    engine = OnnxEngine(order["weights"], threads=1, chunk=max(order["chunks"]))
    frames = _frames(max(order["chunks"]), tuple(order["shape"]), np.dtype(order["dtype"]))
    best: dict[int, float] = {}
    results: dict[int, list[Array]] = {}
    started_s = time.process_time()
    # A model that takes longer than the budget for its first frames is measured with them alone.
    for chunk in order["chunks"] * 4:
        before_s = time.process_time()
        if best and before_s - started_s > order["budget_s"]:
            break
        results[chunk] = engine.run({order["input"]: frames[:chunk]}, order["outputs"], batched=order["batched"])
        took_ms = 1000 * (time.process_time() - before_s) / chunk
        best[chunk] = min(best.get(chunk, took_ms), took_ms)
    peak_bytes = peak_rss_bytes()
    # Kernels may add up in another order for more frames; which requests meet in a run is chance, boxes must not be.
    alone = range(max(best) if len(best) > 1 else 0)
    singly = [engine.run({order["input"]: frames[at : at + 1]}, order["outputs"], batched=True) for at in alone]
    best = {chunk: took for chunk, took in best.items() if chunk == 1 or _same(results[chunk], singly[:chunk])}
    return Measurement(best, peak_bytes, providers())


def _same(together: Sequence[Array], singly: Sequence[Sequence[Array]]) -> bool:
    """Whether frames in one run gave, bit for bit, what they give one by one: NaN too."""
    return all(
        value.tobytes() == b"".join(run[place].tobytes() for run in singly) for place, value in enumerate(together)
    )


def _frames(count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    random = np.random.default_rng(0)
    if dtype.kind == "u":
        return random.integers(0, 256, (count, *shape)).astype(dtype)
    return random.random((count, *shape), np.float32).astype(dtype)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure(json.loads(sys.stdin.read())))))
