"""A gRPC server with Triton's methods and without a model: it describes one, and answers requests with nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2

NAME = "beacon"
CONFIG = """
name: "beacon"
max_batch_size: 8
input [ { name: "frames" data_type: TYPE_UINT8 dims: [ 32, 64, 3 ] } ]
output [ { name: "boxes" data_type: TYPE_FP32 dims: [ 1, 4 ] }, { name: "scores" data_type: TYPE_FP32 dims: [ 1, 1 ] } ]
parameters { key: "decoder" value { string_value: "ssd" } }
parameters { key: "input_layout" value { string_value: "NHWC" } }
parameters { key: "input_colour" value { string_value: "RGB" } }
"""


@dataclass
class SmallTriton:
    """What it was asked.

    Attributes:
        address: host:port.
        asked: methods, in order.
    """

    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def small_triton(*, more: str = "", most_bytes: int = -1) -> Iterator[SmallTriton]:
    """The server on a free port.

    Args:
        more: text that the model's configuration has besides.
        most_bytes: of a message that it takes; without it, it has no method for frames.
    """
    found = SmallTriton()
    config = text_format.Parse(CONFIG + more, model_config_pb2.ModelConfig())
    answers: dict[str, Callable[[], Any]] = {
        "ModelMetadata": lambda: service_pb2.ModelMetadataResponse(name=NAME, versions=["1"]),
        "ModelConfig": lambda: service_pb2.ModelConfigResponse(config=config),
    }
    if most_bytes >= 0:
        answers["ModelInfer"] = service_pb2.ModelInferResponse
    server = grpc.server(
        ThreadPoolExecutor(2),
        handlers=[_Methods(found, answers)],
        options=[("grpc.max_receive_message_length", most_bytes), ("grpc.so_reuseport", 0)],
    )
    found.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield found
    finally:
        server.stop(None).wait()


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, found: SmallTriton, answers: dict[str, Callable[[], Any]]) -> None:
        self._found = found
        self._answers = answers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = handler_call_details.method.rsplit("/", 1)[-1]
        self._found.asked.append(method)
        answer = self._answers.get(method)
        if answer is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: answer().SerializeToString())
