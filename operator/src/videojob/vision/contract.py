"""Reads a model's own description: Triton's ModelConfig becomes the `ModelContract` that a worker goes by.

A config.pbtxt says in `parameters` (flat keys, string values) how pixels go in and how boxes come out:

    decoder          name of the box decoder; required. `decoder_<option>` are its own settings.
    input_layout     NHWC or NCHW, the axes behind the batch; required.
    input_colour     RGB or BGR; required.
    input_scale, input_mean, input_std
                     for float inputs: (pixel / scale - mean) / std; one number, or three with commas.
    input_long_side, input_stride
                     for inputs of any size (dims -1): the longer side to aim at, and what both sides are multiples of.
    resize           letterbox (default) or stretch.
    pad_value        0..255, what letterbox padding is filled with.
    outputs          names of the outputs to ask for, in the decoder's order; default: all, as declared.
    labels           class names by class id, with commas or as a JSON list.
    weights_sha256   of the weights, so that other weights under the same name count as another model.
    engine           what computes, where its numbers differ from ONNX Runtime's on a CPU: "tensorrt-fp16". Written
                     when a configuration is rendered for a server, and counts like other weights.

With `max_batch_size: 0` the dims carry the batch axis themselves, and it must be 1: such a model gets one frame per
request, of shape (1, ...), and answers (1, ...). In every case a worker sends (n, ...) and receives (n, ...).

The same function reads a file (`adapters.triton.model_repository`) and a server's answer, so the two cannot differ.
Unknown keys belong to Triton's backends and are left alone, unless they look like a misspelt one of ours.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, TypeVar

from videojob.errors import ModelSignatureMismatch
from videojob.vision.tensors import ModelContract, PixelInput

INPUT_DTYPES = ("UINT8", "FP32", "FP16")
"""Triton's words for the input types that a worker can fill."""

PARAMETER_KEYS = (
    "decoder",
    "input_layout",
    "input_colour",
    "input_scale",
    "input_mean",
    "input_std",
    "input_long_side",
    "input_stride",
    "resize",
    "pad_value",
    "outputs",
    "labels",
    "weights_sha256",
    "engine",
)
"""Every key of `parameters` that means something here, but for `decoder_<option>`."""

DECOUPLED_HINT = "Set model_transaction_policy { decoupled: false }: a frame gets exactly one answer."
"""What to do about a model that answers as often as it likes."""

_OPTION_PREFIX = "decoder_"
# Looking a word up, rather than comparing it, keeps its Literal type.
_LAYOUTS: dict[str, Literal["NHWC", "NCHW"]] = {"NHWC": "NHWC", "NCHW": "NCHW"}
_COLOURS: dict[str, Literal["RGB", "BGR"]] = {"RGB": "RGB", "BGR": "BGR"}
_RESIZES: dict[str, Literal["letterbox", "stretch"]] = {"letterbox": "letterbox", "stretch": "stretch"}
_Word = TypeVar("_Word")
_DEFAULTS = PixelInput(name="", dtype="UINT8", layout="NHWC", colour="RGB")


def contract_from_config(config: Mapping[str, Any], version: str = "") -> ModelContract:
    """What a worker must know of a model.

    Args:
        config: Triton's ModelConfig as `MessageToDict(message, preserving_proto_field_name=True)` gives it.
        version: the version that is asked for; "" leaves the choice to the server.

    Raises:
        ModelSignatureMismatch: a parameter is missing or contradicts the tensors; names it and what would be right.
    """
    refuse_other_protocols(config)
    reader = _Reader(config)
    reader.refuse_misspelt_keys()
    pixels = _pixel_input(reader)
    outputs = _outputs(reader)
    options = {
        key.removeprefix(_OPTION_PREFIX): value
        for key, value in sorted(reader.values.items())
        if key.startswith(_OPTION_PREFIX)
    }
    decoder = reader.required("decoder", 'the name of a box decoder, as in "yolo"')
    labels = _labels(reader)
    engine = reader.values.get("engine", "")
    description = {
        "name": reader.name,
        "version": version,
        "pixels": asdict(pixels),
        "outputs": outputs,
        "decoder": decoder,
        "options": options,
        "labels": labels,
        "weights": reader.values.get("weights_sha256", ""),
        # Absent for the rest, so that what was stored before there were engines is still the same model.
        **({"engine": engine} if engine else {}),
    }
    return ModelContract(
        name=reader.name,
        version=version,
        pixels=pixels,
        outputs=outputs,
        decoder=decoder,
        decoder_options=options,
        labels=labels,
        max_batch=reader.max_batch,
        instances=_instances(config),
        # Batch size and instances differ from machine to machine and change no box: a resumed job must not mind them.
        digest=hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest(),
    )


def refuse_other_protocols(config: Mapping[str, Any]) -> None:
    """Refuses a model that does not answer each request by itself and once; `config` as for `contract_from_config`.

    Raises:
        ModelSignatureMismatch: it is a sequence model, or decoupled.
    """
    name = str(config.get("name", "")) or None
    if "sequence_batching" in config:
        hint = "Replace sequence_batching by dynamic_batching: frames go to the server side by side, each for itself."
        raise ModelSignatureMismatch(
            "the model is a sequence model, which keeps state between frames", uri=name, hint=hint
        )
    if config.get("model_transaction_policy", {}).get("decoupled"):
        message = "the model is decoupled: it may answer a frame any number of times"
        raise ModelSignatureMismatch(message, uri=name, hint=DECOUPLED_HINT)


class _Reader:
    """One model's config with typed access to its parameters; every complaint names model, parameter and remedy."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.name = str(config.get("name", ""))
        self.config = config
        self.max_batch = int(config.get("max_batch_size", 0))
        parameters: Mapping[str, Mapping[str, Any]] = config.get("parameters", {})
        self.values = {key: str(value.get("string_value", "")).strip() for key, value in parameters.items()}

    def mismatch(self, message: str, right: str) -> ModelSignatureMismatch:
        return ModelSignatureMismatch(message, uri=self.name or None, hint=right)

    def refuse_misspelt_keys(self) -> None:
        for key in sorted(self.values):
            if key in PARAMETER_KEYS or key.startswith(_OPTION_PREFIX):
                continue
            near = difflib.get_close_matches(key, PARAMETER_KEYS, n=1, cutoff=0.8)
            if near or key.startswith("input_"):
                known = near[0] if near else ", ".join(name for name in PARAMETER_KEYS if name.startswith("input_"))
                raise self.mismatch(f"config.pbtxt has a parameter {key!r} that nothing reads", f"Write {known}.")

    def required(self, key: str, meaning: str) -> str:
        value = self.values.get(key, "")
        if not value:
            raise self.mismatch(f"config.pbtxt lacks the parameter {key!r}", f"Add it: {meaning}.")
        return value

    def word(self, key: str, allowed: Mapping[str, _Word], default: _Word | None = None) -> _Word:
        meaning = " or ".join(allowed)
        if default is not None and not self.values.get(key):
            return default
        text = self.required(key, meaning)
        if text not in allowed:
            raise self.mismatch(f"the parameter {key!r} is {text!r}", f"It must be {meaning}.")
        return allowed[text]

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        text = self.values.get(key, "")
        if not text:
            return default
        right = f"It must be a whole number from {low} to {high}."
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise self.mismatch(f"the parameter {key!r} is {text!r}", right)
        return int(text)

    def numbers(self, key: str, default: float) -> tuple[float, float, float]:
        text = self.values.get(key, "")
        if not text:
            return (default, default, default)
        found = three_numbers(text)
        if found is None or not all(math.isfinite(number) for number in found):
            raise self.mismatch(
                f"the parameter {key!r} is {text!r}", "It must be one finite number, or three with commas between them."
            )
        return found


def three_numbers(text: str) -> tuple[float, float, float] | None:
    """One number three times, or three with commas between them; None for anything else."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    if len(found) == 1:
        found *= 3
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def _pixel_input(reader: _Reader) -> PixelInput:
    inputs: Sequence[Mapping[str, Any]] = reader.config.get("input", ())
    if len(inputs) != 1:
        names = ", ".join(str(tensor.get("name")) for tensor in inputs) or "none"
        raise reader.mismatch(
            f"the model has {len(inputs)} inputs ({names})", "A model for video takes exactly one: the frames."
        )
    tensor = inputs[0]
    name = str(tensor.get("name", ""))
    dtype = str(tensor.get("data_type", "")).removeprefix("TYPE_")
    if dtype not in INPUT_DTYPES:
        raise reader.mismatch(f"the input {name!r} has type {dtype}", f"It must be one of {', '.join(INPUT_DTYPES)}.")
    layout = reader.word("input_layout", _LAYOUTS)
    width, height = _input_size(reader, name, [int(dim) for dim in tensor.get("dims", ())], layout)
    long_side, stride = _free_size(reader, width)
    scale, mean, std = _normalisation(reader, dtype)
    return PixelInput(
        name=name,
        dtype=dtype,
        layout=layout,
        colour=reader.word("input_colour", _COLOURS),
        width=width,
        height=height,
        long_side=long_side,
        stride=stride,
        resize=reader.word("resize", _RESIZES, "letterbox"),
        pad_value=reader.integer("pad_value", _DEFAULTS.pad_value, 0, 255),
        scale=scale,
        mean=mean,
        std=std,
    )


def _input_size(reader: _Reader, name: str, dims: list[int], layout: Literal["NHWC", "NCHW"]) -> tuple[int, int]:
    """(width, height) of the input, (0, 0) for any size."""
    expected = "[height, width, 3]" if layout == "NHWC" else "[3, height, width]"
    if reader.max_batch == 0:
        if len(dims) != 4 or dims[0] != 1:
            raise reader.mismatch(
                f"the input {name!r} has dims {dims} and max_batch_size is 0",
                f"Either set max_batch_size and dims {expected}, or give the dims a leading 1.",
            )
        dims = dims[1:]
    channels_at = 2 if layout == "NHWC" else 0
    if len(dims) != 3 or dims[channels_at] != 3:
        raise reader.mismatch(
            f"the input {name!r} has dims {dims}, but input_layout says {layout}", f"The dims must be {expected}."
        )
    height, width = dims[:2] if layout == "NHWC" else dims[1:]
    if width == -1 and height == -1:
        return (0, 0)
    if width < 1 or height < 1:
        raise reader.mismatch(
            f"the input {name!r} has dims {dims}", "Height and width must both be fixed, or both be -1."
        )
    return (width, height)


def _free_size(reader: _Reader, width: int) -> tuple[int, int]:
    """(long_side, stride) of an input of any size."""
    given = [key for key in ("input_long_side", "input_stride") if reader.values.get(key)]
    if width and given:
        raise reader.mismatch(
            f"the parameter {given[0]!r} contradicts the input's fixed size",
            "Remove it, or set height and width to -1.",
        )
    stride = reader.integer("input_stride", _DEFAULTS.stride, 1, 1024)
    return reader.integer("input_long_side", _DEFAULTS.long_side, stride, 8192), stride


def _normalisation(reader: _Reader, dtype: str) -> tuple[float, tuple[float, float, float], tuple[float, float, float]]:
    scales, mean, std = (
        reader.numbers("input_scale", 1),
        reader.numbers("input_mean", 0),
        reader.numbers("input_std", 1),
    )
    if len(set(scales)) != 1 or scales[0] <= 0:
        raise reader.mismatch("the parameter 'input_scale' is not one positive number", "Write it as in 255.")
    if min(std) <= 0:
        raise reader.mismatch("the parameter 'input_std' has a value that is not positive", "Divisors must be over 0.")
    if dtype == "UINT8" and (scales[0], mean, std) != (1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
        raise reader.mismatch(
            "input_scale, input_mean or input_std is given, but the input is UINT8",
            "A UINT8 input gets pixels as they are: normalise inside the graph and remove these parameters.",
        )
    return scales[0], mean, std


def _outputs(reader: _Reader) -> tuple[str, ...]:
    declared = [str(tensor.get("name", "")) for tensor in reader.config.get("output", ())]
    if not declared:
        raise reader.mismatch("the model declares no output", "Declare the tensors that the decoder reads.")
    text = reader.values.get("outputs", "")
    chosen = [part.strip() for part in text.split(",")] if text else declared
    unknown = [name for name in chosen if name not in declared]
    if unknown or len(set(chosen)) != len(chosen):
        raise reader.mismatch(
            f"the parameter 'outputs' is {text!r}", f"It may name each of {', '.join(declared)} once, with commas."
        )
    return tuple(chosen)


def _labels(reader: _Reader) -> tuple[str, ...]:
    text = reader.values.get("labels", "")
    if not text:
        return ()
    right = 'Write class names with commas, or as a JSON list: ["person", "car"].'
    if not text.startswith("["):
        names: object = [part.strip() for part in text.split(",")]
    else:
        try:
            names = json.loads(text)
        except json.JSONDecodeError as error:
            raise reader.mismatch(f"the parameter 'labels' is not JSON: {error}", right) from error
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise reader.mismatch("the parameter 'labels' holds an empty name or something that is no name", right)
    return tuple(names)


def _instances(config: Mapping[str, Any]) -> int:
    """How many executions the server runs at once: a group has `count` instances on each of its GPUs."""
    groups: Sequence[Mapping[str, Any]] = config.get("instance_group", ())
    return max(1, sum(int(group.get("count", 1)) * max(1, len(group.get("gpus", ()))) for group in groups))
