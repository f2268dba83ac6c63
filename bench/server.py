"""The embedded Triton as the measured processes see it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.clips import FOLDER, ROOT
from bench.tasks import ServerPlace
from videojob.adapters.triton.model_repository import read_model
from videojob.local.models.paths import cache_folder
from videojob.local.models.ready import ensure_built
from videojob.local.triton.server import EmbeddedTriton

MODEL = "face_detector"
EMULATED = "emulated_accelerator"
NOTHING = "does_nothing"
_EMULATED_FOLDER = ROOT / "bench" / "emulated"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def repository() -> Path:
    """The model repository with weights."""
    return ensure_built(MODEL)


def weights() -> Path:
    """The ONNX file that everybody runs."""
    return repository() / MODEL / "1" / "model.onnx"


@contextlib.contextmanager
def serving(folder: Path, models: Sequence[str]) -> Iterator[ServerPlace]:
    """An embedded server with these models, gone with the block."""
    log = FOLDER / "triton.log"
    with EmbeddedTriton.start(folder, models, cache_folder=cache_folder(), log_path=log, cpus=cores()) as triton:
        yield ServerPlace(triton.grpc_address, triton.grpc_headers, triton.supervisor_pid)


@contextlib.contextmanager
def serving_emulated() -> Iterator[ServerPlace]:
    """A server with the emulated accelerator, and with the same model made to take no time at all."""
    with tempfile.TemporaryDirectory(prefix="videojob-bench-") as name:
        folder = Path(name)
        shutil.copytree(_EMULATED_FOLDER / EMULATED, folder / EMULATED)
        shutil.copytree(_EMULATED_FOLDER / EMULATED, folder / NOTHING)
        config = folder / NOTHING / "config.pbtxt"
        text = config.read_text(encoding="utf-8").replace(f'"{EMULATED}"', f'"{NOTHING}"')
        for parameter in ("emulated_batch_ms", "emulated_frame_ms"):
            text = _with_value(text, parameter, "0")
        config.write_text(text, encoding="utf-8")
        with serving(folder, [EMULATED, NOTHING]) as place:
            yield place


def _with_value(config: str, parameter: str, value: str) -> str:
    """A config.pbtxt whose string parameter has another value."""
    lines = config.splitlines()
    places = [number for number, line in enumerate(lines) if f'key: "{parameter}"' in line]
    if len(places) != 1:
        raise ValueError(f"the emulated model's config has {len(places)} lines for {parameter}")
    lines[places[0]] = f'parameters {{ key: "{parameter}" value {{ string_value: "{value}" }} }}'
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Device:
    """What the emulated accelerator's config says.

    Attributes:
        batch_ms, frame_ms: what a batch takes, and each frame in it.
        max_batch: frames in a full batch. instances: executions that the server hands it at once.
    """

    batch_ms: float
    frame_ms: float
    max_batch: int
    instances: int

    @property
    def ceiling_per_s(self) -> float:
        """Frames per second of a device that is never idle and gets full batches only: B / (t0 + t1 * B)."""
        return 1000 * self.max_batch / (self.batch_ms + self.frame_ms * self.max_batch)


def emulated_device() -> Device:
    """Read from the emulated model's config."""
    model = read_model(_EMULATED_FOLDER / EMULATED)
    parameters = {key: str(value["string_value"]) for key, value in model.config["parameters"].items()}
    contract = model.contract()
    return Device(
        batch_ms=float(parameters["emulated_batch_ms"]),
        frame_ms=float(parameters["emulated_frame_ms"]),
        max_batch=contract.max_batch,
        instances=contract.instances,
    )
