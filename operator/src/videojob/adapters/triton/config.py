"""Triton's config.pbtxt as plain values, and its rewriting for the embedded server."""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import model_config_pb2

from videojob.errors import ModelLoadFailed


def parse_config(text: str, source: str) -> dict[str, Any]:
    """The config as `MessageToDict(message, preserving_proto_field_name=True)` gives it.

    Args:
        text: content of a config.pbtxt.
        source: the file's name, for messages.

    Raises:
        ModelLoadFailed: it is not a ModelConfig; says line and column.
    """
    values: dict[str, Any] = MessageToDict(parse_message(text, source), preserving_proto_field_name=True)
    return values


def embedded_config(
    text: str, source: str, *, instances: int, max_batch: int, on_gpu: bool, weights_sha256: str
) -> str:
    """The same model for the embedded server: Python backend, sized for this machine, its tensors unchanged.

    Args:
        text: content of a config.pbtxt for the official image.
        source: the file's name, for messages.
        instances: executions at once.
        max_batch: frames per execution; not more than the config's own.
        weights_sha256: of what really is served, whatever the text says: other weights make another plan.
        on_gpu: whether the shim uses a GPU; on CPUs waiting for fuller batches gains nothing.
    """
    config = parse_message(text, source)
    config.backend = "python"
    config.max_batch_size = max_batch
    for field in ("platform", "default_model_filename", "cc_model_filenames", "optimization", "model_warmup"):
        config.ClearField(field)
    config.ClearField("instance_group")
    group = config.instance_group.add()
    # The Python stub places nothing on a GPU by itself, so this holds with one, too.
    group.kind = model_config_pb2.ModelInstanceGroup.KIND_CPU
    group.count = instances
    config.parameters["weights_sha256"].string_value = weights_sha256
    if config.HasField("dynamic_batching") and not on_gpu:
        config.dynamic_batching.ClearField("preferred_batch_size")
        config.dynamic_batching.max_queue_delay_microseconds = 0
    return str(text_format.MessageToString(config))


def parse_message(text: str, source: str) -> Any:
    """The config as Triton's own message, a `ModelConfig`; raises as `parse_config`."""
    try:
        return text_format.Parse(text, model_config_pb2.ModelConfig())
    except text_format.ParseError as error:
        raise ModelLoadFailed(
            f"the model's configuration is not valid: {error}", uri=source, hint="Correct config.pbtxt at that place."
        ) from error
