"""The bytes of ModelInfer, against protobuf's own reading and writing of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from videojob.adapters.triton.wire import RequestEncoder, SharedInput, parse_reply
from videojob.errors import InvalidModelOutput

ENCODER = RequestEncoder("model", "3", "frames", "UINT8", ("boxes", "scores"))


def pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def answer(**tensors: NDArray[np.generic]) -> service_pb2.ModelInferResponse:
    words = {"float32": "FP32", "uint8": "UINT8", "int64": "INT64", "float16": "FP16", "bool": "BOOL"}
    message = service_pb2.ModelInferResponse(model_name="model", model_version="3", id="17")
    for name, value in tensors.items():
        message.outputs.add(name=name, datatype=words[str(value.dtype)], shape=value.shape)
        message.raw_output_contents.append(value.tobytes())
    return message


@pytest.mark.parametrize("size", [1, 127, 128, 16383, 16384, 2_097_152])
def test_a_request_with_pixels_reads_back_as_what_went_in(size: int) -> None:
    frames = pixels(1, size)
    message = service_pb2.ModelInferRequest.FromString(ENCODER.raw("request-1", frames))
    assert (message.model_name, message.model_version, message.id) == ("model", "3", "request-1")
    assert [output.name for output in message.outputs] == ["boxes", "scores"]
    (tensor,) = message.inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("frames", "UINT8", [1, size])
    assert list(message.raw_input_contents) == [frames.tobytes()]


def test_requests_of_different_shapes_do_not_mix() -> None:
    shapes = [(1, 2, 3), (2, 2, 3), (1, 2, 3)]
    for shape in shapes:
        message = service_pb2.ModelInferRequest.FromString(ENCODER.raw("1", pixels(*shape)))
        assert tuple(message.inputs[0].shape) == shape


def test_a_request_by_shared_memory_names_region_offset_and_length_and_carries_no_pixels() -> None:
    data = ENCODER.shared("9", (2, 4, 4, 3), SharedInput("ring", 4096, 96))
    message = service_pb2.ModelInferRequest.FromString(data)
    parameters = message.inputs[0].parameters
    assert parameters["shared_memory_region"].string_param == "ring"
    assert parameters["shared_memory_offset"].int64_param == 4096
    assert parameters["shared_memory_byte_size"].int64_param == 96
    assert not message.raw_input_contents
    assert message.id == "9"


def test_outputs_are_views_on_the_answers_bytes() -> None:
    tensors: dict[str, NDArray[np.generic]] = {
        "boxes": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "half": np.ones((2, 1), np.float16),
        "flags": np.array([[True], [False]]),
        "ids": np.array([[5], [-6]], np.int64),
        "none": np.empty((2, 0), np.float32),
    }
    data = answer(**tensors).SerializeToString()
    reply = parse_reply(data)
    assert reply.request_id == "17"
    assert list(reply.outputs) == list(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(reply.outputs[name], value, strict=True)
        assert not reply.outputs[name].flags.owndata
        assert not reply.outputs[name].flags.writeable


@given(st.data())
def test_an_answer_that_is_cut_off_is_refused_or_reads_as_shorter_but_never_crashes(data: st.DataObject) -> None:
    whole = answer(boxes=np.ones((1, 4), np.float32), scores=np.ones((1, 1), np.float32)).SerializeToString()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        reply = parse_reply(cut)
    except InvalidModelOutput:
        return
    assert len(reply.outputs) < 2


@given(st.binary(max_size=64))
def test_rubbish_is_refused_by_name_or_holds_no_output(rubbish: bytes) -> None:
    try:
        reply = parse_reply(rubbish)
    except InvalidModelOutput:
        return
    assert all(value.size == 0 for value in reply.outputs.values())


@pytest.mark.parametrize(
    "broken",
    [b"\x0a", b"\x0a\x05ab", b"\xff" * 12, b"\x08\x01", b"\x0a\x02\xff\xfe", b"\x2a\x02\x0a\x09"],
    ids=["no length", "cut off", "endless number", "a number", "no UTF-8", "an output cut off"],
)
def test_broken_bytes_are_refused(broken: bytes) -> None:
    with pytest.raises(InvalidModelOutput, match="cannot be read"):
        parse_reply(broken)


def test_a_buffer_that_does_not_fit_its_shape_is_refused() -> None:
    message = answer(boxes=np.ones((1, 4), np.float32))
    message.raw_output_contents[0] = b"\0" * 12
    with pytest.raises(InvalidModelOutput, match="came as 12 bytes") as caught:
        parse_reply(message.SerializeToString())
    assert caught.value.uri == "model.boxes"


def test_a_type_that_no_decoder_reads_is_refused() -> None:
    message = answer(boxes=np.ones((1, 4), np.float32))
    message.outputs[0].datatype = "BYTES"
    with pytest.raises(InvalidModelOutput, match="BYTES"):
        parse_reply(message.SerializeToString())


def test_outputs_without_buffers_are_refused() -> None:
    message = answer(boxes=np.ones((1, 4), np.float32))
    message.raw_output_contents.pop()
    with pytest.raises(InvalidModelOutput, match="1 outputs and 0 buffers"):
        parse_reply(message.SerializeToString())
