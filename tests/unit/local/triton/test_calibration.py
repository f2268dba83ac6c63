"""How the embedded server is sized for a machine, how a config is rewritten, and where no server fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from videojob.adapters.triton.config import embedded_config, parse_config
from videojob.errors import ModelLoadFailed, SetupError
from videojob.local.triton.calibration import ShimPlan, Timings, make_plan
from videojob.local.triton.install import find_server, find_stub
from videojob.vision.contract import contract_from_config

GB = 1 << 30
CPU = ("CPUExecutionProvider",)
CUDA = ("CUDAExecutionProvider", "CPUExecutionProvider")


def timings(frame_ms: dict[int, float], *, rss: int = GB // 4, providers: tuple[str, ...] = CPU) -> Timings:
    return Timings(frame_ms, rss, providers)


@pytest.mark.parametrize(
    ("measured", "cpus", "free", "plan"),
    [
        (timings({1: 31.0, 2: 33.0, 4: 33.5}), 2, 8 * GB, ShimPlan(2, 1, 1, 8)),
        (timings({1: 31.0, 2: 30.5, 4: 30.4}), 2, 8 * GB, ShimPlan(2, 1, 1, 8)),
        (timings({1: 4.0, 2: 3.0, 4: 2.0}), 4, 8 * GB, ShimPlan(4, 1, 4, 16)),
        (timings({1: 2000.0}), 2, 8 * GB, ShimPlan(2, 1, 1, 1)),
        (timings({1: 31.0}), 8, 2 * GB, ShimPlan(4, 2, 1, 16)),
        (timings({1: 31.0}, rss=4 * GB), 8, GB, ShimPlan(1, 8, 1, 16)),
        (timings({1: 31.0}, providers=CUDA), 2, 8 * GB, ShimPlan(2, 1, 16, 16, CUDA[0])),
        (None, 2, 8 * GB, ShimPlan(2, 1, 1, 4)),
        (None, 0, 0, ShimPlan(1, 1, 1, 4)),
    ],
    ids=[
        "one at a time",
        "no gain from more",
        "four at a time",
        "slow",
        "little memory",
        "less",
        "gpu",
        "none",
        "tiny",
    ],
)
def test_a_model_is_run_as_the_measurement_and_the_machine_ask(
    measured: Timings | None, cpus: int, free: int, plan: ShimPlan
) -> None:
    assert make_plan(measured, max_batch=16, cpus=cpus, free_bytes=free) == plan
    assert plan.threads * plan.instances <= max(cpus, 1) or plan.provider == CUDA[0]


def test_the_batch_never_exceeds_the_models_own() -> None:
    assert make_plan(timings({1: 1.0}), max_batch=4, cpus=2, free_bytes=8 * GB).max_batch == 4
    assert make_plan(None, max_batch=0, cpus=2, free_bytes=8 * GB).max_batch == 0


def test_a_model_without_a_batch_axis_minds_memory_and_uses_a_gpu() -> None:
    assert make_plan(timings({1: 31.0}, rss=4 * GB), max_batch=0, cpus=8, free_bytes=GB) == ShimPlan(1, 8, 1, 0)
    on_gpu = timings({1: 31.0}, providers=CUDA)
    assert make_plan(on_gpu, max_batch=0, cpus=8, free_bytes=GB) == ShimPlan(2, 1, 1, 0, CUDA[0])


CONFIG = """
name: "m"
platform: "onnxruntime_onnx"
default_model_filename: "best.onnx"
max_batch_size: 16
input [ { name: "frames" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] } ]
output [ { name: "boxes" data_type: TYPE_FP32 dims: [ 9, 4 ] }, { name: "scores" data_type: TYPE_FP32 dims: [ 9, 1 ] } ]
dynamic_batching { preferred_batch_size: [ 16 ] max_queue_delay_microseconds: 2000
                   default_queue_policy { max_queue_size: 64 } }
instance_group [ { kind: KIND_GPU count: 2 gpus: [ 0, 1 ] } ]
optimization { execution_accelerators { gpu_execution_accelerator [ { name: "tensorrt" } ] } }
parameters { key: "decoder" value { string_value: "ssd" } }
parameters { key: "input_layout" value { string_value: "NHWC" } }
parameters { key: "input_colour" value { string_value: "RGB" } }
"""


def test_a_config_for_the_official_image_keeps_all_that_a_worker_sees() -> None:
    before = parse_config(CONFIG, "config.pbtxt")
    text = embedded_config(CONFIG, "config.pbtxt", instances=3, max_batch=8, on_gpu=False, weights_sha256="aa")
    after = parse_config(text, "embedded")
    for key in ("name", "input", "output"):
        assert after[key] == before[key]
    served = {"weights_sha256": {"string_value": "aa"}}
    assert after["parameters"] == before["parameters"] | served
    before["parameters"] |= served
    assert contract_from_config(after).digest == contract_from_config(before).digest
    assert after["backend"] == "python"
    assert after["max_batch_size"] == 8
    assert after["instance_group"] == [{"count": 3, "kind": "KIND_CPU"}]
    assert after["dynamic_batching"] == {"default_queue_policy": {"max_queue_size": 64}}
    assert not after.keys() & {"platform", "default_model_filename", "optimization"}


def test_on_a_gpu_the_batcher_keeps_its_delay() -> None:
    text = embedded_config(CONFIG, "config.pbtxt", instances=2, max_batch=16, on_gpu=True, weights_sha256="aa")
    assert parse_config(text, "embedded")["dynamic_batching"]["max_queue_delay_microseconds"] == "2000"


def test_a_config_that_is_none_says_where() -> None:
    with pytest.raises(ModelLoadFailed, match="2:17") as caught:
        parse_config('name: "m"\nmax_batch_size: sixteen', "m/config.pbtxt")
    assert caught.value.uri == "m/config.pbtxt"


def test_without_the_wheel_the_error_says_how_to_point_at_a_server(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no embedded Triton on this machine") as caught:
        find_server(tmp_path, distribution="no-such-distribution")
    assert "--triton-url" in caught.value.hint


def test_a_python_that_the_wheel_does_not_know_is_named_with_those_it_knows(tmp_path: Path) -> None:
    for version in ("3.9", "3.10", "3.11"):
        stub = tmp_path / "python_backend_stubs" / version / "triton_python_backend_stub"
        stub.parent.mkdir(parents=True)
        stub.touch()
    assert find_stub(tmp_path, "3.11").is_file()
    with pytest.raises(SetupError, match=r"no part for Python 3\.14, only for 3\.9, 3\.10, 3\.11") as caught:
        find_stub(tmp_path, "3.14")
    assert "--triton-url" in caught.value.hint
