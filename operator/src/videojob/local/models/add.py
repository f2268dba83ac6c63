"""`videojob models add`: an ONNX file becomes a model that is served, or nothing is left and the reason is said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, helper

from videojob.adapters.files.folders import locked, replace_folder
from videojob.adapters.triton.model_repository import (
    CONFIG_NAME,
    LABELS_NAME,
    RepositoryModel,
    read_labels,
    read_model,
    weights_sha256,
)
from videojob.errors import ModelLoadFailed, ModelSignatureMismatch, SetupError, VideoJobError
from videojob.local.models.config_text import ConfigText, TensorText, labels_text
from videojob.local.models.graph import declare, drop_unused, free_reshapes, shape_of
from videojob.local.models.half import Half, write_half
from videojob.local.models.metadata import ExportFacts, export_facts
from videojob.local.models.misfits import in_words_of_the_command, refuse_known
from videojob.local.models.paths import BUILT_IN_MODELS
from videojob.local.models.picture import Layout, Normalisation, PictureInput, lead_frames_in, picture_input
from videojob.local.models.runtime import OnnxRun
from videojob.local.models.trial import Trial, triton_type, try_out
from videojob.local.models.weights import copy_weights, load_graph

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_IMAGENET = Normalisation(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_UNIT = Normalisation(255.0)
_ANY_SIZE = 128
_BATCH_TOLERANCE = 1e-3
"""Kernels may add up in another order when there are more frames."""


@dataclass(frozen=True, slots=True)
class PixelDefaults:
    """What models of one family usually want; an option that is given comes first."""

    normalisation: Normalisation = _UNIT
    colour: Literal["RGB", "BGR"] = "RGB"
    resize: Literal["letterbox", "stretch"] = "letterbox"


PIXEL_DEFAULTS = {
    "centerface": PixelDefaults(Normalisation()),
    "classification": PixelDefaults(_IMAGENET, resize="stretch"),
    "detr": PixelDefaults(_IMAGENET, resize="stretch"),
    "ssd": PixelDefaults(resize="stretch"),
    "yolo": PixelDefaults(),
    "yolox": PixelDefaults(Normalisation(), colour="BGR"),
}
"""By decoder; one that comes from elsewhere gets `PixelDefaults()`."""


@dataclass(frozen=True, slots=True)
class PixelOptions:
    """How the model wants its pixels; None takes the default of the decoder's family, or what the graph says."""

    colour: Literal["RGB", "BGR"] | None = None
    scale: float | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: Literal["letterbox", "stretch"] | None = None
    pad_value: int | None = None
    layout: Layout | None = None
    long_side: int | None = None
    stride: int | None = None


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What to add.

    Attributes:
        path: the ONNX file; weights in files of their own lie beside it.
        name: of the model to be. decoder: of its boxes.
        labels: file with one class name a line; None for the names in the ONNX file, if there are any.
        outputs: which outputs the decoder reads, in its order; empty for all, in the graph's order.
        decoder_options: see the decoder.
        max_batch: frames per execution, where the graph leaves the batch axis free.
        replace: take the place of a model of that name.
        shown: what messages call the file; "" for its path.
    """

    path: Path
    name: str
    decoder: str
    labels: Path | None = None
    pixels: PixelOptions = field(default_factory=PixelOptions)
    outputs: tuple[str, ...] = ()
    decoder_options: Mapping[str, str] = field(default_factory=dict)
    max_batch: int = 16
    replace: bool = False
    shown: str = ""

    @property
    def place(self) -> str:
        """The file as messages name it."""
        return self.shown or str(self.path)


@dataclass(frozen=True, slots=True)
class AddOutcome:
    """The added model, how the trial went, and what a person should know."""

    model: RepositoryModel
    trial: Trial
    notes: tuple[str, ...]


def add(request: AddRequest, repository: Path) -> AddOutcome:
    """Writes the model's folder and tries it out; nothing is left behind when it does not work.

    Raises:
        SetupError: the name cannot be used.
        ModelError: the file does not fit, with what is wrong and what would be right.
    """
    if not _NAME.fullmatch(request.name):
        raise SetupError(
            f"{request.name!r} cannot be a model's name",
            hint="Use up to 63 letters, digits, '_', '.' and '-', with a letter or digit in front.",
        )
    if request.name in BUILT_IN_MODELS:
        raise SetupError(
            f"{request.name!r} is a built-in model: the next run would replace yours with it",
            uri=request.place,
            hint="Give another --name.",
        )
    folder = repository / request.name
    if folder.exists() and not request.replace:
        raise SetupError(
            f"there is a model {request.name!r} already", uri=str(folder), hint="Replace it with --replace."
        )
    try:
        with locked(repository), replace_folder(folder) as unfinished:
            notes = _write(request, unfinished)
            trial = try_out(read_model(unfinished))
    except VideoJobError as error:
        # Inside the trial a place is a name or an unfinished folder; for the person it is the file that they gave.
        is_about_labels = request.labels is not None and error.uri == str(request.labels)
        raise in_words_of_the_command(error, str(request.labels) if is_about_labels else request.place) from error
    return AddOutcome(read_model(folder), trial, notes)


def _write(request: AddRequest, folder: Path) -> tuple[str, ...]:
    """Writes weights, labels and config; returns what a person should know."""
    model = load_graph(request.path)
    facts = export_facts(model)
    refuse_known(model, request.decoder, facts)
    _choose_outputs(model, request.outputs)
    picture = picture_input(model.graph, request.pixels.layout)
    defaults = PIXEL_DEFAULTS.get(request.decoder, PixelDefaults())
    normalisation = _normalisation(picture, request.pixels, defaults)
    frames_name = lead_frames_in(model, picture, normalisation)
    weights = folder / "1" / "model.onnx"
    weights.parent.mkdir()
    copy_weights(model, request.path.parent, weights.parent)
    note = _settle_batch(model, picture, frames_name, weights)
    batched = not isinstance(shape_of(model.graph.input[0])[0], int)
    labels = facts.names if request.labels is None else read_labels(request.labels)
    if labels:
        (folder / LABELS_NAME).write_text("\n".join(labels) + "\n", encoding="utf-8")
    config = ConfigText(
        name=request.name,
        origin=request.path.name,
        max_batch=request.max_batch if batched else 0,
        frames=_frames_text(frames_name, picture, batched),
        outputs=[_output_text(value, batched) for value in model.graph.output],
        preprocessing=_preprocessing(picture, normalisation),
        parameters=_parameters(request, picture, defaults, labels, facts)
        | {"weights_sha256": weights_sha256({1: weights})},
    )
    (folder / CONFIG_NAME).write_text(str(config), encoding="utf-8")
    half = write_half(weights, _noise(picture, 1 if batched else picture.batch or 1))
    return tuple(text for text in (note, _facts_note(request, facts), _half_note(half)) if text)


def _facts_note(request: AddRequest, facts: ExportFacts) -> str:
    """What was taken from the file, or stands there otherwise."""
    if not facts.names:
        return ""
    if request.labels is None:
        return f"The labels are those in the ONNX file: {', '.join(facts.names[:3])}{', …' * (len(facts.names) > 3)}."
    given = read_labels(request.labels)
    if given == facts.names:
        return ""
    return (
        f"The ONNX file names its {len(facts.names)} classes differently; the {len(given)} names of --labels are used."
    )


def _half_note(half: Half) -> str:
    if half.written:
        return half.note and f"With backend tensorrt, {half.note}: compare its results with those of a CPU."
    return f"It cannot be served with backend tensorrt: {half.note}."


def _choose_outputs(model: ModelProto, names: Sequence[str]) -> None:
    """Leaves the graph with the outputs that are read: ONNX Runtime computes all there are."""
    known = {value.name: value for value in model.graph.output}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ModelSignatureMismatch(
            f"the graph has no output {unknown[0]!r}", hint=f"Its outputs are: {', '.join(known)}."
        )
    if names:
        chosen = [known[name] for name in names]
        del model.graph.output[:]
        model.graph.output.extend(chosen)
        drop_unused(model.graph)


def _normalisation(picture: PictureInput, options: PixelOptions, defaults: PixelDefaults) -> Normalisation:
    usual = Normalisation() if picture.dtype == "UINT8" else defaults.normalisation
    chosen = Normalisation(
        usual.scale if options.scale is None else options.scale,
        usual.mean if options.mean is None else options.mean,
        usual.std if options.std is None else options.std,
    )
    if picture.dtype == "UINT8" and not chosen.changes_nothing:
        raise ModelSignatureMismatch(
            f"the input {picture.name!r} takes bytes: they cannot be scaled",
            hint="Leave out --scale, --mean and --std; such a graph normalises by itself.",
        )
    if chosen.scale <= 0 or min(chosen.std) <= 0:
        raise ModelSignatureMismatch("--scale and --std must be over 0", hint="Pixels are divided by them.")
    return chosen


def _settle_batch(model: ModelProto, picture: PictureInput, frames_name: str, weights: Path) -> str:
    """Writes the weights, with a free batch axis where the graph bears one; returns a note when it was not free."""
    fixed = model.SerializeToString(deterministic=True)
    weights.write_bytes(fixed)
    OnnxRun(weights).run({frames_name: _noise(picture, picture.batch or 1)})  # what fails here is no matter of batches
    for value in (*model.graph.input, *model.graph.output):
        declare([value], {value.name: ["batch", *shape_of(value)[1:]]})
    del model.graph.value_info[:]
    reason = ""
    for change in (lambda _: None, free_reshapes):
        change(model.graph)
        weights.write_bytes(model.SerializeToString(deterministic=True))
        refused = _refuses_batches(weights, frames_name, picture)
        if not refused:
            return "" if picture.batch is None else f"The batch axis was fixed at {picture.batch}; it is free now."
        reason = reason or refused
    if picture.batch != 1:
        promised = "any number of frames" if picture.batch is None else f"exactly {picture.batch} frames"
        raise ModelSignatureMismatch(
            f"the graph takes {promised} at once, but {reason}",
            hint="Export it so that every output has one result per frame, with a free batch axis or a batch of 1.",
        )
    weights.write_bytes(fixed)
    model.ParseFromString(fixed)
    return f"The batch stays at 1 frame ({reason}). Export it with a free batch axis to use a GPU well."


def _refuses_batches(weights: Path, frames_name: str, picture: PictureInput) -> str:
    """Why two frames at once do not give what each gives alone; "" when they do."""
    frames = _noise(picture, 2)
    try:
        network = OnnxRun(weights)
        together = network.run({frames_name: frames})
        alone = [network.run({frames_name: frames[index : index + 1]}) for index in range(2)]
    except ModelLoadFailed as error:  # a shape inside the graph is fixed too: the very thing to find out
        return f"it does not run with 2: {error.message}"
    for name, values in together.items():
        expected = [run[name] for run in alone]
        if values.shape[:1] != (2,) or any(run.shape != (1, *values.shape[1:]) for run in expected):
            return f"the output {name!r} has shape {list(values.shape)} for 2 frames, {list(expected[0].shape)} for 1"
        if not np.allclose(
            values, np.concatenate(expected), rtol=_BATCH_TOLERANCE, atol=_BATCH_TOLERANCE, equal_nan=True
        ):
            return f"the output {name!r} depends on the other frames of the batch"
    return ""


def _noise(picture: PictureInput, count: int) -> NDArray[np.uint8]:
    size = (picture.height or _ANY_SIZE, picture.width or _ANY_SIZE)
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def _frames_text(name: str, picture: PictureInput, batched: bool) -> TensorText:
    dims = (picture.height or -1, picture.width or -1, 3)
    return TensorText(name, "UINT8", dims if batched else (1, *dims))


def _output_text(value: ValueInfoProto, batched: bool) -> TensorText:
    dims = tuple(length if isinstance(length, int) else -1 for length in shape_of(value))
    dtype = triton_type(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    return TensorText(value.name, dtype, dims[1:] if batched else dims)


def _preprocessing(picture: PictureInput, normalisation: Normalisation) -> str:
    """What the graph does with pixels, for the reader of config.pbtxt."""
    if normalisation.changes_nothing:
        return "nothing but the change to its own type and layout"
    steps = [f"pixel / {normalisation.scale:g}"]
    if any(normalisation.mean):
        steps.append(f"- {list(normalisation.mean)}")
    if set(normalisation.std) != {1.0}:
        steps.append(f"/ {list(normalisation.std)}")
    return f"{' '.join(steps)}, then {picture.layout}"


def _parameters(
    request: AddRequest, picture: PictureInput, defaults: PixelDefaults, labels: Sequence[str], facts: ExportFacts
) -> dict[str, str]:
    options = request.pixels
    found = {
        "input_layout": "NHWC",
        "input_colour": options.colour or defaults.colour,
        "resize": options.resize or defaults.resize,
        "decoder": request.decoder,
    }
    if options.pad_value is not None:
        found["pad_value"] = str(options.pad_value)
    sizes = {"input_long_side": options.long_side, "input_stride": options.stride}
    given = {key: str(value) for key, value in sizes.items() if value is not None}
    if given and picture.width:
        raise ModelSignatureMismatch(
            f"the graph takes {picture.width} x {picture.height} pixels only",
            hint="Leave out --long-side and --stride; they are for graphs with free height and width.",
        )
    if not picture.width:
        found |= {
            key: str(value)
            for key, value in (("input_long_side", facts.long_side), ("input_stride", facts.stride))
            if value is not None
        }
    found |= given
    found |= {f"decoder_{key}": value for key, value in request.decoder_options.items()}
    if request.outputs:
        found["outputs"] = ",".join(request.outputs)
    if labels:
        found["labels"] = labels_text(labels)
    return found
