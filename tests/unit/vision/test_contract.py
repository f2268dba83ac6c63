from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from videojob.errors import ModelSignatureMismatch
from videojob.vision.contract import contract_from_config

PARAMETERS = {"decoder": "yolo", "input_layout": "NHWC", "input_colour": "RGB", "labels": "person,car"}


def config(parameters: Mapping[str, str | None] | None = None, **fields: Any) -> dict[str, Any]:
    """A ModelConfig as `MessageToDict` gives it; a parameter of None is left out."""
    values = {**PARAMETERS, **(parameters or {})}
    return {
        "name": "people",
        "max_batch_size": 8,
        "input": [tensor("frames", "TYPE_UINT8", -1, -1, 3)],
        "output": [tensor("boxes", "TYPE_FP32", 84, -1), tensor("scores", "TYPE_FP32", -1)],
        "parameters": {key: {"string_value": value} for key, value in values.items() if value is not None},
        **fields,
    }


def tensor(name: str, data_type: str, *dims: int) -> dict[str, Any]:
    return {"name": name, "data_type": data_type, "dims": [str(dim) for dim in dims]}  # int64 is a string in JSON


def float_input(*dims: int) -> list[dict[str, Any]]:
    return [tensor("images", "TYPE_FP32", *dims)]


def test_a_full_description_is_read() -> None:
    contract = contract_from_config(
        config(
            {
                "input_layout": "NCHW",
                "input_colour": "BGR",
                "input_scale": "255",
                "input_mean": "0.485, 0.456, 0.406",
                "input_std": "0.25",
                "resize": "stretch",
                "pad_value": "0",
                "outputs": "scores, boxes",
                "decoder_iou": "0.6",
                "decoder_head": "v8",
            },
            input=float_input(3, 480, 640),
            instance_group=[{"count": 2, "kind": "KIND_GPU", "gpus": [0, 1]}, {"count": 1, "kind": "KIND_CPU"}],
        ),
        version="3",
    )
    pixels = contract.pixels
    assert (contract.name, contract.version, contract.max_batch, contract.instances) == ("people", "3", 8, 5)
    assert (pixels.name, pixels.dtype, pixels.layout, pixels.colour) == ("images", "FP32", "NCHW", "BGR")
    assert (pixels.width, pixels.height, pixels.resize, pixels.pad_value) == (640, 480, "stretch", 0)
    assert (pixels.scale, pixels.mean, pixels.std) == (255.0, (0.485, 0.456, 0.406), (0.25, 0.25, 0.25))
    assert contract.outputs == ("scores", "boxes")
    assert (contract.decoder, contract.decoder_options) == ("yolo", {"iou": "0.6", "head": "v8"})
    assert contract.labels == ("person", "car")


def test_what_is_not_said_has_defaults() -> None:
    contract = contract_from_config(config({"labels": None}))
    assert contract.outputs == ("boxes", "scores")
    assert contract.labels == ()
    assert contract.instances == 1
    assert (contract.pixels.width, contract.pixels.long_side, contract.pixels.stride) == (0, 640, 32)
    assert (contract.pixels.resize, contract.pixels.pad_value) == ("letterbox", 114)


def test_labels_with_commas_in_them_are_json() -> None:
    assert contract_from_config(config({"labels": '["dog, small", "cat"]'})).labels == ("dog, small", "cat")


def test_without_a_batch_axis_the_dims_carry_a_one() -> None:
    contract = contract_from_config(config({"input_layout": "NCHW"}, input=float_input(1, 3, 64, 96), max_batch_size=0))
    assert (contract.max_batch, contract.pixels.width, contract.pixels.height) == (0, 96, 64)


def test_backend_parameters_are_left_alone() -> None:
    contract = contract_from_config(config({"cudnn_conv_algo_search": "1", "EXECUTION_ENV_PATH": "/env"}))
    assert contract.decoder_options == {}


@pytest.mark.parametrize(
    ("parameters", "fields", "named", "remedy"),
    [
        ({"decoder": None}, {}, "'decoder'", "name of a box decoder"),
        ({"decoder": ""}, {}, "'decoder'", "name of a box decoder"),
        ({"input_layout": None}, {}, "'input_layout'", "NHWC or NCHW"),
        ({"input_layout": "HWC"}, {}, "'input_layout' is 'HWC'", "NHWC or NCHW"),
        ({"input_colour": None}, {}, "'input_colour'", "RGB or BGR"),
        ({"input_colour": None, "input_color": "RGB"}, {}, "'input_color' that nothing reads", "Write input_colour"),
        ({"input_dtype": "u8"}, {}, "'input_dtype' that nothing reads", "input_layout"),
        ({"label": "a"}, {}, "'label' that nothing reads", "labels"),
        ({"resize": "crop"}, {}, "'resize' is 'crop'", "letterbox or stretch"),
        ({"pad_value": "256"}, {}, "'pad_value' is '256'", "from 0 to 255"),
        ({"pad_value": "grey"}, {}, "'pad_value' is 'grey'", "from 0 to 255"),
        ({"input_stride": "0"}, {}, "'input_stride' is '0'", "from 1"),
        ({"input_stride": "64", "input_long_side": "32"}, {}, "'input_long_side' is '32'", "from 64"),
        ({"input_scale": "255"}, {}, "is UINT8", "normalise inside the graph"),
        ({"input_mean": "1,2"}, {}, "'input_mean' is '1,2'", "three"),
        ({"input_std": "nan"}, {}, "'input_std' is 'nan'", "finite"),
        ({"input_std": "0"}, {}, "'input_std'", "over 0"),
        ({"input_std": "wide"}, {}, "'input_std' is 'wide'", "finite"),
        ({"input_scale": "1,2,3"}, {}, "'input_scale'", "255"),
        ({"outputs": "boxes,classes"}, {}, "'outputs' is 'boxes,classes'", "boxes, scores"),
        ({"outputs": "boxes,boxes"}, {}, "'outputs'", "once"),
        ({"labels": '["a", 1]'}, {}, "'labels'", "JSON list"),
        ({"labels": '["a"'}, {}, "'labels' is not JSON", "JSON list"),
        ({"labels": "a,,b"}, {}, "'labels' holds an empty name", "commas"),
        ({}, {"input": [tensor("a", "TYPE_UINT8", -1, -1, 3)] * 2}, "2 inputs", "exactly one"),
        ({}, {"input": [tensor("a", "TYPE_INT64", -1, -1, 3)]}, "type INT64", "UINT8, FP32, FP16"),
        ({}, {"input": [tensor("a", "TYPE_UINT8", 3, -1, -1)]}, "input_layout says NHWC", "[height, width, 3]"),
        ({}, {"input": [tensor("a", "TYPE_UINT8", -1, 640, 3)]}, "[-1, 640, 3]", "both be -1"),
        ({}, {"max_batch_size": 0}, "max_batch_size is 0", "leading 1"),
        ({}, {"output": []}, "no output", "Declare"),
        (
            {"input_long_side": "640"},
            {"input": [tensor("a", "TYPE_UINT8", 64, 64, 3)]},
            "'input_long_side' contradicts",
            "Remove it",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    parameters: dict[str, str | None], fields: dict[str, Any], named: str, remedy: str
) -> None:
    with pytest.raises(ModelSignatureMismatch) as caught:
        contract_from_config(config(parameters, **fields))
    assert named in caught.value.message
    assert remedy in caught.value.hint
    assert caught.value.uri == "people"
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"max_batch_size": 1}, True),
        ({"instance_group": [{"count": 4}]}, True),
        ({"backend": "python"}, True),
        ({"name": "others"}, False),
        ({"input": [tensor("frames", "TYPE_UINT8", 64, 64, 3)]}, False),
    ],
)
def test_the_digest_holds_what_decides_boxes_and_nothing_else(change: dict[str, Any], same: bool) -> None:
    assert (contract_from_config(config(**change)).digest == contract_from_config(config()).digest) is same


@pytest.mark.parametrize(
    "change", [{"weights_sha256": "00"}, {"decoder_iou": "0.4"}, {"labels": "car,person"}, {"input_colour": "BGR"}]
)
def test_other_parameters_are_another_model(change: dict[str, str]) -> None:
    assert contract_from_config(config(change)).digest != contract_from_config(config()).digest


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sequence_batching": {}}, "sequence model"),
        ({"sequence_batching": {"direct": {}, "max_sequence_idle_microseconds": "5"}}, "sequence model"),
        ({"model_transaction_policy": {"decoupled": True}}, "decoupled"),
    ],
)
def test_a_model_that_does_not_answer_each_frame_by_itself_and_once_is_refused(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelSignatureMismatch, match=words) as caught:
        contract_from_config(config(**fields))
    assert (caught.value.uri, caught.value.retryable) == ("people", False)


def test_a_transaction_policy_that_is_not_decoupled_is_that_of_every_model() -> None:
    assert contract_from_config(config(model_transaction_policy={})) == contract_from_config(config())
