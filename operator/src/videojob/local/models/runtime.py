"""ONNX Runtime, for trying a graph out once. Serving is Triton's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from videojob.errors import ModelLoadFailed

_FATAL_ONLY = 4
"""What goes wrong comes as an exception; said on stderr as well, it would look like something worse."""
_PREAMBLE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:)?(This is an invalid model\. )?"
)

_PLACE = re.compile(r"^/\S+:\d+ .*\) (?=[A-Z])")
"""Of the runtime's own source, with the function's signature."""


class OnnxRun:
    """A graph, loaded on the CPU with one thread.

    Args:
        model: the file's content, or its path (needed when weights lie beside it).

    Raises:
        ModelLoadFailed: the runtime refuses it; the message has its words.
    """

    def __init__(self, model: bytes | Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        source = str(model) if isinstance(model, Path) else model
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except _failures() as error:
            words = _words(error)
            raise ModelLoadFailed(f"ONNX Runtime cannot load it: {words}", hint=_load_hint(words)) from error

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """All outputs by name.

        Raises:
            ModelLoadFailed: the runtime fails on these inputs; the message has its words.
        """
        names = [output.name for output in self._session.get_outputs()]
        try:
            return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))
        except _failures() as error:
            raise ModelLoadFailed(f"ONNX Runtime cannot run it: {_words(error)}") from error


def _words(error: Exception) -> str:
    """The reason in what ONNX Runtime says, without its codes and the place of a file that is about to go."""
    return _PLACE.sub("", _PREAMBLE.sub("", str(error))).strip()


def _load_hint(words: str) -> str:
    """What to do about it: nothing was served yet, so the advice of the reason, which is about a server, is wrong."""
    if re.search(r"opset|IR version", words):
        return (
            f"It was exported for a newer ONNX Runtime than {onnxruntime.__version__}: export it again with an older "
            f"opset, as opset_version=17 of torch.onnx.export or opset=17 of Ultralytics."
        )
    if re.search(r"is not a registered function/op|No Op registered|custom op", words):
        return "The graph needs an operator that only another runtime has: export it without plugins."
    return "Check how the model was exported, and that its file is complete."


def _failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: a class for each of its status codes, and ValueError for wrong feeds."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    classes = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*classes, ValueError, RuntimeError)
