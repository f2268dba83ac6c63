"""Triton Python-backend model that runs an ONNX file; copied into a materialised model folder, never imported here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from joined import Asked, run_all  # type: ignore[import-not-found]
from onnx_engine import OnnxEngine  # type: ignore[import-not-found]


class TritonPythonModel:
    """What the backend looks for by this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the session."""
        config = json.loads(args["model_config"])
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._batched = int(config.get("max_batch_size", 0)) > 0
        here = Path(__file__).parent
        settings = json.loads((here / "shim.json").read_text(encoding="utf-8"))
        self._engine = OnnxEngine(
            str(here / settings["weights"]),  # an absolute path stays what it is
            threads=settings["threads"],
            chunk=settings["chunk"],
            provider=settings["provider"],
        )
        described = [{tensor["name"]: tensor["data_type"] for tensor in config[kind]} for kind in ("input", "output")]
        try:
            self._engine.check(*described)
        except ValueError as error:
            raise pb_utils.TritonModelException(str(error)) from error

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers each request, in order; one that fails gets its own error."""
        asked = [self._read(request) for request in requests]
        found = run_all(self._engine, asked, batched=self._batched)
        return [_response(one.outputs, outputs) for one, outputs in zip(asked, found, strict=True)]

    def _read(self, request: Any) -> Any:
        feeds = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
        return Asked(feeds, tuple(request.requested_output_names()))


def _response(names: tuple[str, ...], found: Any) -> Any:
    if isinstance(found, Exception):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"ONNX Runtime: {found}"))
    tensors = [pb_utils.Tensor(name, value) for name, value in zip(names, found, strict=True)]
    return pb_utils.InferenceResponse(output_tensors=tensors)
