"""One config.pbtxt, four servers: what each form changes of the source, and that it changes nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.triton import ROOT
from videojob.adapters.triton.config import parse_config
from videojob.adapters.triton.variants import Variant, variant_config
from videojob.errors import ModelLoadFailed, ModelSignatureMismatch
from videojob.planning.installation import Accelerator, Backend
from videojob.vision.contract import contract_from_config

SOURCE = (ROOT / "model_repository" / "face_detector" / "config.pbtxt").read_text(encoding="utf-8")
WEIGHTS = "ab" * 32
QUEUE = {"default_queue_policy": {"max_queue_size": 1024}}
FIXED = """
name: "cars"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "images" data_type: TYPE_FP32 dims: [ 3, 480, 640 ] } ]
output [ { name: "boxes" data_type: TYPE_FP32 dims: [ 9, 4 ] }, { name: "scores" data_type: TYPE_FP32 dims: [ 9, 1 ] } ]
parameters { key: "decoder" value { string_value: "ssd" } }
parameters { key: "input_layout" value { string_value: "NCHW" } }
parameters { key: "input_colour" value { string_value: "RGB" } }
"""


def rendered(
    text: str,
    backend: Backend,
    accelerator: Accelerator = "cpu",
    *,
    source: str = "m/config.pbtxt",
    release: str = "26.07-py3",
    has_half: bool = True,
) -> dict[str, Any]:
    """The form as plain values."""
    variant = Variant(backend, accelerator, 7, 3, WEIGHTS, has_half=has_half, server_release=release)
    return parse_config(variant_config(text, source, variant), "rendered")


def changes(text: str, after: dict[str, Any]) -> dict[str, Any]:
    """What differs from the source; None for what is gone, and of the parameters the new ones only."""
    before = parse_config(text, "source")
    found = {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    old, new = before["parameters"], after["parameters"]
    assert {key: new[key] for key in old} == old
    assert found.pop("version_policy") == {"specific": {"versions": ["7"]}}
    del found["parameters"]
    return {**found, "parameters": {key: new[key]["string_value"] for key in new.keys() - old.keys()}}


def sample(name: str, batch: int, tensor: str, dtype: str, dims: list[int]) -> dict[str, Any]:
    inputs = {tensor: {"data_type": dtype, "dims": [str(dim) for dim in dims], "zero_data": True}}
    return {"name": name, "batch_size": batch, "inputs": inputs}


USUAL = sample("usual_1", 1, "frames", "TYPE_UINT8", [352, 640, 3])
ON_GPU = [
    USUAL,
    sample("usual_16", 16, "frames", "TYPE_UINT8", [352, 640, 3]),
    sample("largest_1", 1, "frames", "TYPE_UINT8", [640, 640, 3]),
    sample("largest_16", 16, "frames", "TYPE_UINT8", [640, 640, 3]),
]
FORMS: list[tuple[Backend, Accelerator, dict[str, Any]]] = [
    (
        "onnxruntime",
        "cpu",
        {
            "max_batch_size": 1,
            "dynamic_batching": QUEUE,
            "instance_group": [{"count": 3, "kind": "KIND_CPU"}],
            "model_warmup": [USUAL],
            "parameters": {"weights_sha256": WEIGHTS, "intra_op_thread_count": "1", "inter_op_thread_count": "1"},
        },
    ),
    (
        "onnxruntime",
        "gpu",
        {
            "instance_group": [{"count": 3, "kind": "KIND_GPU"}],
            "model_warmup": ON_GPU,
            "parameters": {"weights_sha256": WEIGHTS, "engine": "cuda"},
        },
    ),
    (
        "tensorrt",
        "gpu",
        {
            "instance_group": [{"count": 3, "kind": "KIND_GPU"}],
            "model_warmup": ON_GPU,
            "optimization": {
                "execution_accelerators": {
                    "gpu_execution_accelerator": [
                        {
                            "name": "tensorrt",
                            "parameters": {
                                "trt_engine_cache_enable": "1",
                                "trt_engine_cache_path": "/engines/cache",
                                "trt_timing_cache_enable": "1",
                                "trt_timing_cache_path": "/engines/cache",
                                "trt_force_sequential_engine_build": "1",
                                "trt_profile_min_shapes": "frames:1x32x32x3",
                                "trt_profile_opt_shapes": "frames:16x352x640x3",
                                "trt_profile_max_shapes": "frames:16x640x640x3",
                            },
                        }
                    ]
                }
            },
            "default_model_filename": "model.fp16.onnx",
            "parameters": {"weights_sha256": WEIGHTS, "engine": "tensorrt-fp16@26.07-py3"},
        },
    ),
    (
        "python",
        "cpu",
        {
            "backend": "python",
            "max_batch_size": 4,
            "dynamic_batching": QUEUE,
            "instance_group": [{"count": 3, "kind": "KIND_CPU"}],
            "model_warmup": [USUAL],
            "parameters": {"weights_sha256": WEIGHTS},
        },
    ),
]


@pytest.mark.parametrize(("backend", "accelerator", "expected"), FORMS, ids=[f"{one[0]}-{one[1]}" for one in FORMS])
def test_a_form_changes_what_depends_on_the_server_and_nothing_else(
    backend: Backend, accelerator: Accelerator, expected: dict[str, Any]
) -> None:
    assert changes(SOURCE, rendered(SOURCE, backend, accelerator)) == expected


def test_rendering_is_stable_and_may_be_repeated_on_its_own_result() -> None:
    variant = Variant("tensorrt", "gpu", 7, 2, WEIGHTS, has_half=True, server_release="26.07-py3")
    once = variant_config(SOURCE, "m", variant)
    assert variant_config(SOURCE, "m", variant) == once
    assert variant_config(once, "m", variant) == once


def test_forms_for_cpus_are_one_model_and_each_engine_of_a_gpu_another() -> None:
    digests = {
        (backend, accelerator): contract_from_config(rendered(SOURCE, backend, accelerator)).digest
        for backend, accelerator, _ in FORMS
    }
    assert digests["onnxruntime", "cpu"] == digests["python", "cpu"]
    assert len(set(digests.values())) == 3


def test_each_gpu_model_is_another_model() -> None:
    variants = [Variant("tensorrt", "gpu", 7, 2, WEIGHTS, has_half=True, gpu_model=one) for one in ("", "t4", "l4")]
    texts = [variant_config(SOURCE, "m", one) for one in variants]
    assert len({contract_from_config(parse_config(text, "m")).digest for text in texts}) == len(texts)


def test_another_release_of_the_server_is_another_model() -> None:
    """Its TensorRT is another one, whose last digits may differ: no epoch mixes them."""
    digests = {
        contract_from_config(rendered(SOURCE, "tensorrt", "gpu", release=release)).digest
        for release in ("26.07-py3", "26.08-py3")
    }
    assert len(digests) == 2


def test_weights_of_another_name_have_their_half_beside_them() -> None:
    named = FIXED + 'default_model_filename: "best.onnx"'
    assert rendered(named, "tensorrt", "gpu")["default_model_filename"] == "best.fp16.onnx"
    assert rendered(named, "onnxruntime", "gpu")["default_model_filename"] == "best.onnx"


def test_tensorrt_computes_no_full_precision_under_the_name_of_half() -> None:
    """Since release 11 a switch is ignored: without the graph in half precision there is no half precision."""
    with pytest.raises(ModelLoadFailed, match=r"needs the network in half precision, model\.fp16\.onnx") as found:
        rendered(SOURCE, "tensorrt", "gpu", has_half=False)
    assert "Build or add the model again" in str(found.value.hint)
    with pytest.raises(ModelLoadFailed, match="'INT8' is not supported"):
        rendered(FIXED + TUNED.replace('"FP32"', '"INT8"'), "tensorrt", "gpu")


def test_an_input_of_one_size_is_warmed_up_at_that_and_profiled_over_batches() -> None:
    after = rendered(FIXED, "tensorrt", "gpu")
    assert after["model_warmup"] == [
        sample("usual_1", 1, "images", "TYPE_FP32", [3, 480, 640]),
        sample("usual_8", 8, "images", "TYPE_FP32", [3, 480, 640]),
    ]
    (accelerator,) = after["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]
    profiles = {key: value for key, value in accelerator["parameters"].items() if "profile" in key}
    assert profiles == {
        "trt_profile_min_shapes": "images:1x3x480x640",
        "trt_profile_opt_shapes": "images:8x3x480x640",
        "trt_profile_max_shapes": "images:8x3x480x640",
    }


def test_a_model_without_a_batch_axis_gets_whole_shapes_and_no_profile() -> None:
    single = FIXED.replace("max_batch_size: 8", "max_batch_size: 0").replace("[ 3, 480", "[ 1, 3, 480")
    after = rendered(single, "tensorrt", "gpu")
    assert after["model_warmup"] == [sample("usual_1", 1, "images", "TYPE_FP32", [1, 3, 480, 640])]
    (accelerator,) = after["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]
    assert not [key for key in accelerator["parameters"] if "profile" in key]
    assert rendered(single, "onnxruntime").get("max_batch_size", 0) == 0
    assert "dynamic_batching" not in rendered(single, "onnxruntime")


TUNED = """
instance_group [ { kind: KIND_GPU count: 1 gpus: [ 0 ] } ]
optimization { execution_accelerators {
  gpu_execution_accelerator [
    { name: "tensorrt" parameters { key: "precision_mode" value: "FP32" }
      parameters { key: "trt_profile_min_shapes" value: "x:1x3x8x8" }
      parameters { key: "trt_engine_cache_path" value: "/elsewhere" } },
    { name: "cuda" parameters { key: "use_ep_level_unified_stream" value: "1" } }
  ]
  cpu_execution_accelerator [ { name: "openvino" } ]
} }
parameters { key: "intra_op_thread_count" value { string_value: "4" } }
model_warmup [ { name: "own" batch_size: 2
  inputs { key: "images" value { data_type: TYPE_FP32 dims: [ 3, 480, 640 ] random_data: true } } } ]
"""


def test_what_the_source_tunes_itself_stays_where_it_applies() -> None:
    text = FIXED + TUNED
    accelerators = rendered(text, "tensorrt", "gpu")["optimization"]["execution_accelerators"]
    assert accelerators.keys() == {"gpu_execution_accelerator"}
    tensorrt, cuda = accelerators["gpu_execution_accelerator"]
    assert tensorrt["parameters"]["precision_mode"] == "FP32"
    assert [value for key, value in tensorrt["parameters"].items() if "profile" in key] == ["x:1x3x8x8"]
    assert tensorrt["parameters"]["trt_engine_cache_path"] == "/engines/cache"
    assert cuda == {"name": "cuda", "parameters": {"use_ep_level_unified_stream": "1"}}
    full = rendered(text, "tensorrt", "gpu", has_half=False)
    assert full["parameters"]["engine"] == {"string_value": "tensorrt-fp32@26.07-py3"}
    assert "default_model_filename" not in full
    on_gpu = rendered(text, "onnxruntime", "gpu")["optimization"]["execution_accelerators"]
    assert on_gpu == {"gpu_execution_accelerator": [cuda]}
    on_cpu = rendered(text, "onnxruntime")
    assert on_cpu["optimization"]["execution_accelerators"] == {"cpu_execution_accelerator": [{"name": "openvino"}]}
    assert on_cpu["parameters"]["intra_op_thread_count"] == {"string_value": "4"}
    for backend, accelerator, _ in FORMS:
        assert [one["name"] for one in rendered(text, backend, accelerator)["model_warmup"]] == ["own"]


@pytest.mark.parametrize(
    ("text", "backend", "accelerator", "error", "words"),
    [
        (SOURCE, "tensorrt", "cpu", ModelLoadFailed, "needs a GPU"),
        (SOURCE.replace('"onnxruntime"', '"pytorch"'), "onnxruntime", "gpu", ModelLoadFailed, "'pytorch'"),
        ('name: "m" max_batch_size: many', "python", "cpu", ModelLoadFailed, "1:27"),
        (SOURCE.replace("input_layout", "layout"), "tensorrt", "gpu", ModelSignatureMismatch, "input_layout"),
    ],
)
def test_what_cannot_be_served_is_told_before_any_server_starts(
    text: str, backend: Backend, accelerator: Accelerator, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        rendered(text, backend, accelerator, source=str(Path("m") / "config.pbtxt"))
