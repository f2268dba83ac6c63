"""ModelInfer messages as bytes: one copy of the pixels out, no copy of the outputs in.

The generated protobuf classes copy a frame three times on its way out and every output once on its way in. But a
message's serialised fields may simply follow one another, so the large `raw_*_contents` fields are written and read
here, and protobuf sees the small rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from videojob.errors import InvalidModelOutput

_LENGTH_DELIMITED = 2
_ID_TAG = (3 << 3) | _LENGTH_DELIMITED
_RAW_INPUT_TAG = (7 << 3) | _LENGTH_DELIMITED
_RAW_OUTPUT_FIELD = 6

DTYPES: Mapping[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
}
"""Triton's words for types, little endian as on the wire."""


@dataclass(frozen=True, slots=True)
class SharedInput:
    """Where the pixels of a request lie in a region that the server has mapped."""

    region: str
    offset_bytes: int
    length_bytes: int


class RequestEncoder:
    """Serialises the requests of one model.

    Args:
        model, version: as Triton names them.
        input_name, dtype: of the one input, as Triton names it.
        outputs: names of the outputs to ask for.
    """

    def __init__(self, model: str, version: str, input_name: str, dtype: str, outputs: Sequence[str]) -> None:
        self._base = service_pb2.ModelInferRequest(model_name=model, model_version=version)
        self._base.outputs.extend(
            service_pb2.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs
        )
        self._input_name = input_name
        self._dtype = dtype
        self._prefixes: dict[tuple[int, ...], bytes] = {}

    def raw(self, request_id: str, frames: NDArray[np.generic]) -> bytes:
        """A request that carries its pixels; `frames` must be C-contiguous."""
        prefix = self._prefixes.get(frames.shape)
        if prefix is None:
            prefix = self._message(frames.shape, None).SerializeToString()
            self._prefixes[frames.shape] = prefix
        identity = request_id.encode()
        head = bytes((_ID_TAG, *_varint(len(identity)))) + identity
        return b"".join((prefix, head, bytes((_RAW_INPUT_TAG, *_varint(frames.nbytes))), frames.reshape(-1).data))

    def shared(self, request_id: str, shape: tuple[int, ...], place: SharedInput) -> bytes:
        """A request whose pixels lie in shared memory."""
        message = self._message(shape, place)
        message.id = request_id
        data: bytes = message.SerializeToString()
        return data

    def _message(self, shape: tuple[int, ...], place: SharedInput | None) -> service_pb2.ModelInferRequest:
        message = service_pb2.ModelInferRequest()
        message.CopyFrom(self._base)
        tensor = message.inputs.add(name=self._input_name, datatype=self._dtype, shape=shape)
        if place is not None:
            tensor.parameters["shared_memory_region"].string_param = place.region
            tensor.parameters["shared_memory_byte_size"].int64_param = place.length_bytes
            tensor.parameters["shared_memory_offset"].int64_param = place.offset_bytes
        return message


@dataclass(frozen=True, slots=True)
class WireReply:
    """A parsed response: the id that the server repeated, and the outputs as views on the response's bytes."""

    request_id: str
    outputs: dict[str, NDArray[np.generic]]


def parse_reply(data: bytes) -> WireReply:
    """Reads a serialised ModelInferResponse.

    Raises:
        InvalidModelOutput: it is cut off, has a type that no decoder reads, or sizes that contradict its shapes.
    """
    try:
        head, raw = _split(data)
        message = service_pb2.ModelInferResponse.FromString(head)
    except (DecodeError, IndexError, ValueError) as error:
        raise InvalidModelOutput(f"the server's answer cannot be read: {error}") from error
    if len(raw) != len(message.outputs):
        raise InvalidModelOutput(
            f"the server's answer has {len(message.outputs)} outputs and {len(raw)} buffers", uri=message.model_name
        )
    outputs = {
        tensor.name: _array(data, span, tensor.datatype, tuple(tensor.shape), f"{message.model_name}.{tensor.name}")
        for tensor, span in zip(message.outputs, raw, strict=True)
    }
    return WireReply(message.id, outputs)


def _array(data: bytes, span: tuple[int, int], datatype: str, shape: tuple[int, ...], name: str) -> NDArray[np.generic]:
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise InvalidModelOutput(f"the output has type {datatype}, which no box decoder reads", uri=name)
    start, length = span
    count = math.prod(shape)
    if count * dtype.itemsize != length:
        raise InvalidModelOutput(f"the output of shape {shape} and type {datatype} came as {length} bytes", uri=name)
    return np.frombuffer(data, dtype, count, start).reshape(shape)


def _split(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """(everything but the raw outputs, (start, length) of each raw output) of a serialised response."""
    head: list[bytes] = []
    raw: list[tuple[int, int]] = []
    position, end = 0, len(data)
    while position < end:
        start = position
        tag, position = _read_varint(data, position)
        if tag & 7 != _LENGTH_DELIMITED:
            raise ValueError(f"unexpected field {tag >> 3} of wire type {tag & 7}")
        length, position = _read_varint(data, position)
        if position + length > end:
            raise ValueError(f"field {tag >> 3} is cut off")
        if tag >> 3 == _RAW_OUTPUT_FIELD:
            raw.append((position, length))
        else:
            head.append(data[start : position + length])
        position += length
    return b"".join(head), raw


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
