"""One config.pbtxt, several servers: how a model's configuration is written for the hardware that serves it.

The source is written for the official image and says nothing about hardware. What differs is rendered here, from text
to text, so that no two copies can drift apart: where instances run, how many, how frames are batched, what is warmed
up, and for TensorRT the graph in half precision, engine cache and shapes. Name, tensors and parameters stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import model_config_pb2

from videojob.adapters.triton.config import embedded_config, parse_message
from videojob.adapters.triton.model_repository import DEFAULT_FILE, HALF, half_path
from videojob.errors import ModelLoadFailed
from videojob.planning.installation import Accelerator, Backend
from videojob.vision.contract import contract_from_config
from videojob.vision.geometry import fit
from videojob.vision.tensors import ModelContract

ONNX_BACKENDS = ("onnxruntime", "onnxruntime_onnx")
_TENSORRT = "tensorrt"
_SHIM_BATCH = 4
"""Frames per execution of the shim, which runs them one by one: larger batches only wait for each other."""
_USUAL, _LARGEST = (1920, 1080), (1080, 1080)
"""Source pictures: as most videos are, and the square, which fills an input of any size."""
_PROFILE_KEYS = ("trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_profile_max_shapes")


@dataclass(frozen=True, slots=True)
class Variant:
    """What a configuration is rendered for.

    Attributes:
        backend: "onnxruntime" as the official image has it, "tensorrt" for the same with TensorRT on the network in
            half precision, "python" for the shim where there is no ONNX backend.
        accelerator: what the server computes on.
        version: of the model; no other is loaded.
        instances: executions at once on each device.
        weights_sha256: of the weights that are served, whatever the source says.
        engines: folder that the server keeps built TensorRT engines in.
        has_half: the network in half precision lies beside the weights.
        server_release: what pins the software of the server, as its image's tag; with it TensorRT's version.
        gpu_model: that it computes on, as in "t4"; "" when it is not known.
    """

    backend: Backend
    accelerator: Accelerator
    version: int
    instances: int
    weights_sha256: str
    engines: str = "/engines/cache"
    has_half: bool = False
    server_release: str = ""
    gpu_model: str = ""


def variant_config(text: str, source: str, variant: Variant) -> str:
    """The configuration of an ONNX model for one kind of server.

    Args:
        text: content of the source's config.pbtxt.
        source: the file's name, for messages.
        variant: see `Variant`.

    Raises:
        ModelLoadFailed: the text is no ModelConfig, the model is no ONNX model, or TensorRT is asked for without a GPU
            or without a graph for it.
        ModelSignatureMismatch: the source does not say how pixels go in and boxes come out.
    """
    config = parse_message(text, source)
    contract = contract_from_config(MessageToDict(config, preserving_proto_field_name=True))
    if (config.backend or config.platform) not in ONNX_BACKENDS:
        raise ModelLoadFailed(
            f"backend {variant.backend} is requested, but the model's own backend is "
            f"{config.backend or config.platform!r}",
            uri=source,
            hint="Only ONNX models can use another backend; set backend: python in the variant of a Python model.",
        )
    if variant.backend == "tensorrt" and variant.accelerator != "gpu":
        raise ModelLoadFailed("TensorRT needs a GPU", uri=source, hint="Use backend onnxruntime for CPUs.")
    if variant.backend == "python":
        return _shim(text, source, config, contract, variant)
    config.parameters["weights_sha256"].string_value = variant.weights_sha256
    if variant.accelerator == "cpu":
        _for_cpu(config, variant)
    else:
        _for_gpu(config, contract, variant, source)
    if not config.optimization.execution_accelerators.ByteSize():
        config.optimization.ClearField("execution_accelerators")
    if not config.optimization.ByteSize():
        config.ClearField("optimization")
    _only(config, variant.version)
    _warm_up(config, contract, variant.accelerator)
    return str(text_format.MessageToString(config))


def _shim(text: str, source: str, config: Any, contract: ModelContract, variant: Variant) -> str:
    """The laptop's form, for as many instances as asked; warmed up like the others."""
    rendered = embedded_config(
        text,
        source,
        instances=variant.instances,
        max_batch=min(contract.max_batch, _SHIM_BATCH),
        on_gpu=False,
        weights_sha256=variant.weights_sha256,
    )
    served = parse_message(rendered, source)
    served.model_warmup.extend(config.model_warmup)
    _only(served, variant.version)
    _warm_up(served, contract, "cpu")
    return str(text_format.MessageToString(served))


def _for_cpu(config: Any, variant: Variant) -> None:
    _instances(config, model_config_pb2.ModelInstanceGroup.KIND_CPU, variant.instances)
    # One frame at a time: as fast as any batch on CPUs, whose caches hold one frame's activations, and the numbers
    # then do not depend on which requests happen to meet in a batch.
    config.max_batch_size = min(config.max_batch_size, 1)
    if config.HasField("dynamic_batching"):
        config.dynamic_batching.ClearField("preferred_batch_size")
        config.dynamic_batching.max_queue_delay_microseconds = 0
    # ONNX Runtime's default is a thread for each core of the node, per instance, whatever the container may use.
    for key in ("intra_op_thread_count", "inter_op_thread_count"):
        if key not in config.parameters:
            config.parameters[key].string_value = "1"
    config.optimization.execution_accelerators.ClearField("gpu_execution_accelerator")


def _for_gpu(config: Any, contract: ModelContract, variant: Variant, source: str) -> None:
    _instances(config, model_config_pb2.ModelInstanceGroup.KIND_GPU, variant.instances)
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    given = {one.name: dict(one.parameters) for one in accelerators}
    config.optimization.execution_accelerators.ClearField("cpu_execution_accelerator")
    del accelerators[:]
    engine = "cuda"
    if variant.backend == "tensorrt":
        tuned = given.get(_TENSORRT, {})
        engine = _precision(config, tuned, variant, source)
        accelerators.add(name=_TENSORRT).parameters.update(_tensorrt_parameters(contract, variant, tuned))
    # Half precision gives other numbers than full, and each GPU model and release of TensorRT its own last bits: which
    # engine answers, and on what, is part of what makes two models the same.
    config.parameters["engine"].string_value = f"{engine} {variant.gpu_model}".rstrip()
    for name in sorted(given.keys() - {_TENSORRT}):
        accelerators.add(name=name).parameters.update(given[name])


def _precision(config: Any, tuned: dict[str, str], variant: Variant, source: str) -> str:
    """Chooses the graph of the precision that is asked for; returns what `engine` says.

    TensorRT takes precision from the graph since its release 11, and has no switch for it: a switch that is given here
    would be ignored, and full precision be computed under the name of half.
    """
    precision = tuned.get("precision_mode", "FP16")
    if precision not in {"FP16", "FP32"}:
        raise ModelLoadFailed(
            f"the TensorRT precision_mode {precision!r} is not supported",
            uri=source,
            hint="Leave it out for half precision, or give FP32, which a quantised graph wants, too.",
        )
    if precision == "FP16":
        tuned.pop("precision_mode", None)
        name = PurePosixPath(config.default_model_filename or DEFAULT_FILE)
        if not name.stem.endswith(HALF):
            config.default_model_filename = half_path(name).name
        if not variant.has_half:
            raise ModelLoadFailed(
                f"backend tensorrt needs the network in half precision, {config.default_model_filename}, and the "
                "model's folder has none",
                uri=source,
                hint="Build or add the model again with this release of videojob, copy the folder and pin its new "
                "digest; or choose backend onnxruntime for its GPU variant.",
            )
    engine = f"tensorrt-{precision.lower()}"
    return f"{engine}@{variant.server_release}" if variant.server_release else engine


def _only(config: Any, version: int) -> None:
    """Triton would load the newest version there is, whatever the installation says."""
    config.ClearField("version_policy")
    config.version_policy.specific.versions.append(version)


def _instances(config: Any, kind: int, count: int) -> None:
    config.ClearField("instance_group")
    group = config.instance_group.add()
    group.kind, group.count = kind, count


def _tensorrt_parameters(contract: ModelContract, variant: Variant, given: Mapping[str, str]) -> dict[str, str]:
    """Parameters of ONNX Runtime's TensorRT accelerator, in the words of Triton's backend.

    What the source says itself wins, but for the place of the cache. A source that gives profiles, because TensorRT
    cuts its graph elsewhere than at the input, gives all three.
    """
    place = variant.engines
    parameters: dict[str, str] = {}
    if not any(key in given for key in _PROFILE_KEYS):
        parameters |= _profiles(contract)
    return {
        **parameters,
        # The second instance finds the engine that the first has built.
        "trt_force_sequential_engine_build": "1",
        **given,
        # Building takes minutes: a server that starts again finds engines and timings here, and so do other replicas
        # (`adapters.triton.engine_cache`).
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": place,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": place,
    }


def _profiles(contract: ModelContract) -> dict[str, str]:
    """Shapes that one engine covers; without them a new shape of video builds a new engine in mid-job.

    Nothing for a model of one fixed shape.
    """
    pixels = contract.pixels
    if pixels.width and contract.max_batch == 0:
        return {}
    least = (pixels.height, pixels.width) if pixels.width else (pixels.stride, pixels.stride)
    batch = max(1, contract.max_batch)
    shapes = (
        _shape(contract, 1, *least),
        _shape(contract, batch, *_size(contract, *_USUAL)),
        _shape(contract, batch, *_size(contract, *_LARGEST)),
    )
    return {key: f"{pixels.name}:{'x'.join(map(str, shape))}" for key, shape in zip(_PROFILE_KEYS, shapes, strict=True)}


def _warm_up(config: Any, contract: ModelContract, accelerator: Accelerator) -> None:
    """Runs before the model counts as ready, so that no job meets the slow first batches; the source's own win."""
    if config.model_warmup:
        return
    pixels = contract.pixels
    batches = sorted({1, max(1, config.max_batch_size)}) if accelerator == "gpu" else [1]
    sizes = {"usual": _size(contract, *_USUAL)}
    if accelerator == "gpu" and not pixels.width:
        # The largest picture in the largest batch takes the most memory: what does not fit fails now, not in a job.
        sizes["largest"] = _size(contract, *_LARGEST)
    for name, (height, width) in sizes.items():
        for batch in batches:
            sample = config.model_warmup.add(name=f"{name}_{batch}", batch_size=batch)
            tensor = sample.inputs[pixels.name]
            tensor.data_type = model_config_pb2.DataType.Value(f"TYPE_{pixels.dtype}")
            shape = _shape(contract, 1, height, width)
            tensor.dims.extend(shape if config.max_batch_size == 0 else shape[1:])
            tensor.zero_data = True


def _size(contract: ModelContract, width: int, height: int) -> tuple[int, int]:
    """(height, width) of the model's input for a source picture of this shape."""
    fitted = fit(width, height, contract.pixels)
    return fitted.height, fitted.width


def _shape(contract: ModelContract, batch: int, height: int, width: int) -> tuple[int, ...]:
    """A tensor's shape, the batch axis included."""
    return (batch, height, width, 3) if contract.pixels.layout == "NHWC" else (batch, 3, height, width)
