"""One ONNX Runtime session that runs a batch in chunks. Only numpy and onnxruntime: it is copied beside model.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[Any]


class OnnxEngine:
    """A session and how to feed it.

    Args:
        weights: path of the ONNX file.
        threads: cores that one run uses.
        chunk: frames per run; CPUs are fastest with few, since a frame's activations then stay in the cache.
    """

    def __init__(self, weights: str, *, threads: int, chunk: int) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin take the cores from decoding and from the server itself.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self._chunk = chunk
        self.outputs = tuple(output.name for output in self._session.get_outputs())

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], *, batched: bool) -> list[Array]:
        """The named outputs for one batch.

        Args:
            feeds: input tensors by name.
            outputs: names of the outputs to compute; the others cost nothing.
            batched: whether the first axis counts frames and may be cut.
        """
        count = len(next(iter(feeds.values()))) if batched else 1
        if count <= self._chunk or not batched:
            found: list[Array] = self._session.run(list(outputs), feeds)
            return found
        parts = [
            self._session.run(list(outputs), {name: x[start : start + self._chunk] for name, x in feeds.items()})
            for start in range(0, count, self._chunk)
        ]
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
