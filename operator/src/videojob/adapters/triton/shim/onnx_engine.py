"""One ONNX Runtime session that runs a batch in chunks. Only numpy and onnxruntime: it is copied beside model.py.

Tried and left out, since none changed CPU time per frame by more than measuring errs: flushing denormals, no memory
arena, no memory pattern, allocating initialisers on the device, outputs bound into one buffer instead of joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[Any]
_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_ERRORS_ONLY = 3
_TYPES = {
    "TYPE_BOOL": "bool",
    "TYPE_UINT8": "uint8",
    "TYPE_INT8": "int8",
    "TYPE_INT32": "int32",
    "TYPE_INT64": "int64",
    "TYPE_FP16": "float16",
    "TYPE_FP32": "float",
    "TYPE_FP64": "double",
}
"""Triton's words for tensor types -> ONNX Runtime's."""


def providers() -> list[str]:
    """ONNX Runtime's execution providers that we use and this machine has the hardware for, fastest first."""
    available = onnxruntime.get_available_providers()
    with_gpu = _CUDA in available and any(Path("/dev").glob("nvidia[0-9]*"))
    return [_CUDA, _CPU] if with_gpu else [_CPU]


class OnnxEngine:
    """A session and how to feed it.

    Args:
        weights: path of the ONNX file.
        threads: cores that one run uses.
        chunk: frames per run; CPUs are fastest with few, since a frame's activations then stay in the cache.
        provider: execution provider; operators that it lacks run on the CPU.
    """

    def __init__(self, weights: str, *, threads: int, chunk: int, provider: str = _CPU) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin take the cores from decoding and from the server itself.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        chosen = [provider] if provider == _CPU else [provider, _CPU]
        self._session = onnxruntime.InferenceSession(weights, options, providers=chosen)
        self.chunk = chunk

    def check(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """Compares a served description with the graph, as the official image's ONNX backend does when it loads.

        Args:
            inputs: Triton's type of each input by name.
            outputs: the same of the outputs.

        Raises:
            ValueError: a tensor is missing on either side or has another type; names it.
        """
        _compare("input", inputs, self._session.get_inputs(), complete=True)
        _compare("output", outputs, self._session.get_outputs(), complete=False)

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], *, batched: bool) -> list[Array]:
        """The named outputs for one batch.

        Args:
            feeds: input tensors by name.
            outputs: names of the outputs to compute; the others cost nothing.
            batched: whether the first axis counts frames and may be cut.
        """
        count = len(next(iter(feeds.values()))) if batched else 1
        if count <= self.chunk or not batched:
            return self._run(feeds, outputs)
        parts = [
            self._run({name: value[start : start + self.chunk] for name, value in feeds.items()}, outputs)
            for start in range(0, count, self.chunk)
        ]
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def _run(self, feeds: dict[str, Array], outputs: Sequence[str]) -> list[Array]:
        found: list[Array] = self._session.run(list(outputs), feeds)
        return found


def _compare(kind: str, described: Mapping[str, str], tensors: Sequence[Any], *, complete: bool) -> None:
    there = {tensor.name: tensor.type for tensor in tensors}
    for name, word in described.items():
        if name not in there:
            raise ValueError(f"config.pbtxt has the {kind} {name!r}, the graph has {', '.join(there)}")
        if word in _TYPES and there[name] != f"tensor({_TYPES[word]})":
            raise ValueError(f"config.pbtxt gives the {kind} {name!r} {word}, the graph has {there[name]}")
    missing = sorted(there.keys() - described.keys()) if complete else []
    if missing:
        raise ValueError(f"config.pbtxt lacks the {kind} {missing[0]!r} of the graph")
