"""How to run a model on this machine: frames per run, cores per run, runs at once.

Measured once per weights, input size and machine, kept in the cache folder. On CPUs a few frames at a time are fastest,
often one, because a frame's activations then stay in the cache; and one thread in as many instances as cores beats many
threads in one instance, because nothing waits at the end of each layer. Results do not depend on any of it: more frames
per run are only chosen where they gave the same as one by one, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from videojob.errors import ModelSignatureMismatch
from videojob.vision.contract import contract_from_config

_LOG = logging.getLogger(__name__)
_CHUNKS = (1, 2, 4)
_BUDGET_S = 1.5
_TIMEOUT_S = 60.0
_SAME_WITHIN = 1.03  # a smaller chunk wins unless a larger one is faster by more than measuring errs
_BATCH_MS = 250.0  # a batch is about this much work: long against a request's own cost, short against a deadline
_MEMORY_SHARE = 0.5  # of what is free goes to instances of the model; frames, decoders and the server need the rest
_FORMAT = 3
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_NUMPY_DTYPES = {"UINT8": "uint8", "FP32": "float32", "FP16": "float16"}


@dataclass(frozen=True, slots=True)
class ShimPlan:
    """How the embedded server runs one model.

    Attributes:
        instances: processes that each hold the model.
        threads: cores that one of them uses.
        chunk: frames per run of the graph.
        max_batch: frames per execution, from which a worker derives how much to keep in flight; 0 for a model without
            a batch axis.
        provider: ONNX Runtime's execution provider.
    """

    instances: int
    threads: int
    chunk: int
    max_batch: int
    provider: str = _CPU


@dataclass(frozen=True, slots=True)
class Timings:
    """What was measured: CPU milliseconds per frame by chunk, memory of one instance, execution providers here."""

    frame_ms: Mapping[int, float]
    peak_rss_bytes: int
    providers: tuple[str, ...]


def make_plan(timings: Timings | None, *, max_batch: int, cpus: int, free_bytes: int) -> ShimPlan:
    """Decides; without timings, what is right for most networks.

    Args:
        timings: the measurement, or None when there is none.
        max_batch: the config's max_batch_size.
        cpus: cores for this model.
        free_bytes: memory that nobody uses.
    """
    if timings is not None and _CUDA in timings.providers:
        # A GPU is the opposite of a CPU: full batches, and two instances so that one computes while the other copies.
        return ShimPlan(instances=2, threads=1, chunk=max(1, max_batch), max_batch=max_batch, provider=_CUDA)
    instances = max(1, cpus)
    if timings is not None and timings.peak_rss_bytes:
        instances = max(1, min(instances, int(free_bytes * _MEMORY_SHARE) // timings.peak_rss_bytes))
    threads = max(1, cpus // instances)
    if timings is None or not timings.frame_ms:
        return ShimPlan(instances, threads, 1, min(max_batch, 4))
    fastest = min(timings.frame_ms.values())
    chunk = min(size for size, took in timings.frame_ms.items() if took <= fastest * _SAME_WITHIN)
    frames = max(1, int(_BATCH_MS * threads / max(fastest, 1e-3)))
    # A power of two, so that noise in the measurement seldom changes it.
    return ShimPlan(instances, threads, chunk, min(max_batch, max(chunk, 1 << (frames.bit_length() - 1))))


def timings_for(config: Mapping[str, Any], weights: Path, cache_folder: Path) -> Timings | None:
    """The cached measurement of a model, or a new one; None when it cannot be measured, which is logged.

    Args:
        config: the model's config as plain values.
        weights: its ONNX file.
        cache_folder: keeps measurements.
    """
    order = _order(config, weights)
    if order is None:
        return None
    path = cache_folder / "calibration" / f"{_identity(order, weights)}.json"
    known = _read(path.read_text(encoding="utf-8")) if path.is_file() else None
    if known is not None:
        return known
    text = _run(order)
    if text is None:
        return None
    _store(path, text)
    return _read(text)


def _read(text: str) -> Timings | None:
    """A stored measurement; None when it is not one, as after a disk ran full."""
    try:
        values = json.loads(text)
        frame_ms = {int(chunk): float(took) for chunk, took in values["frame_ms"].items()}
        return Timings(frame_ms, int(values["peak_rss_bytes"]), tuple(values["providers"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _order(config: Mapping[str, Any], weights: Path) -> dict[str, Any] | None:
    max_batch = int(config.get("max_batch_size", 0))
    try:
        contract = contract_from_config(config)
    except ModelSignatureMismatch as error:
        _LOG.info("%s is not calibrated: %s", weights, error)
        return None
    pixels = contract.pixels
    width = pixels.width or pixels.long_side // pixels.stride * pixels.stride
    height = pixels.height or max(1, round(width * 9 / 16 / pixels.stride)) * pixels.stride
    return {
        "weights": str(weights),
        "input": pixels.name,
        "dtype": _NUMPY_DTYPES[pixels.dtype],
        "shape": [height, width, 3] if pixels.layout == "NHWC" else [3, height, width],
        "outputs": list(contract.outputs),
        "chunks": [chunk for chunk in _CHUNKS if chunk <= max(1, max_batch)],
        "batched": max_batch > 0,
        "budget_s": _BUDGET_S,
    }


def _identity(order: Mapping[str, Any], weights: Path) -> str:
    """Hash of all that a measurement depends on, but for the place of the file."""
    digest = hashlib.sha256()
    with weights.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    facts = {key: value for key, value in order.items() if key != "weights"}
    facts |= {"format": _FORMAT, "machine": _machine(), "runtime": _runtime_version(), "gpus": _gpus()}
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    facts = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    return f"{platform.machine()} {facts.get('model name')} {facts.get('cache size')} {facts.get('flags')}"


def _runtime_version() -> str:
    found = [item for item in metadata.distributions() if str(item.metadata["Name"]).startswith("onnxruntime")]
    return " ".join(sorted(f"{item.metadata['Name']} {item.version}" for item in found))


def _gpus() -> int:
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _run(order: Mapping[str, Any]) -> str | None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "videojob.local.triton.measure"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=True,
        )
    except subprocess.TimeoutExpired:
        _LOG.info("%s is not calibrated: it took longer than %.0f s", order["weights"], _TIMEOUT_S)
        return None
    except subprocess.CalledProcessError as error:
        # The server will refuse the model too, and its words are what the user sees.
        _LOG.info("%s is not calibrated: %s", order["weights"], error.stderr.strip()[-500:])
        return None
    return done.stdout


def _store(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)
