"""Triton Python-backend model that runs an ONNX file; copied into a materialised model folder, never imported here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from onnx_engine import OnnxEngine  # type: ignore[import-not-found]


class TritonPythonModel:
    """What the backend looks for by this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the session."""
        config = json.loads(args["model_config"])
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._batched = int(config.get("max_batch_size", 0)) > 0
        settings = json.loads((Path(__file__).parent / "shim.json").read_text(encoding="utf-8"))
        self._engine = OnnxEngine(
            settings["weights"],
            threads=settings["threads"],
            chunk=settings["chunk"],
            provider=settings["provider"],
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers each request, in order; one that fails gets its own error."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        names = list(request.requested_output_names())
        feeds = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
        try:
            found = self._engine.run(feeds, names, batched=self._batched)
        except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime raises belongs to this request alone
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"ONNX Runtime: {error}"))
        tensors = [pb_utils.Tensor(name, value) for name, value in zip(names, found, strict=True)]
        return pb_utils.InferenceResponse(output_tensors=tensors)
