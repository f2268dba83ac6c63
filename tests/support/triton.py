"""The embedded Triton for tests: small repositories, a running server, and a check of what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import psutil
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from videojob.adapters.triton.channel import TritonOptions
from videojob.adapters.triton.client import TritonInference, connect
from videojob.local.triton.server import EmbeddedTriton, Ports

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
EMULATED = ROOT / "bench" / "emulated"
EMULATED_MODEL = "emulated_accelerator"
HEIGHT, WIDTH = 32, 64
FRAME_BYTES = HEIGHT * WIDTH * 3

FILTER_CONFIG = """
name: "{name}"
backend: "onnxruntime"
max_batch_size: {max_batch}
input [ {{ name: "frames" data_type: TYPE_UINT8 dims: [ {lead}-1, -1, 3 ] }} ]
output [
  {{ name: "mixed" data_type: TYPE_FP32 dims: [ {lead}4, -1, -1 ] }},
  {{ name: "mean" data_type: TYPE_FP32 dims: [ {lead}4 ] }}
]
{batching}
instance_group [ {{ kind: KIND_GPU count: 1 }} ]
parameters {{ key: "decoder" value {{ string_value: "ssd" }} }}
parameters {{ key: "input_layout" value {{ string_value: "NHWC" }} }}
parameters {{ key: "input_colour" value {{ string_value: "RGB" }} }}
parameters {{ key: "input_long_side" value {{ string_value: "64" }} }}
parameters {{ key: "outputs" value {{ string_value: "mean,mixed" }} }}
"""


def filter_graph(height: int | str = "h") -> ModelProto:
    """uint8 frames (n, h, w, 3) -> `mixed`: four 3x3 filters (n, 4, h, w), `mean`: their means (n, 4)."""
    weights = np.random.default_rng(7).standard_normal((4, 3, 3, 3), np.float32) / 255
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["mixed"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["mixed"], ["mean"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "filter",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", height, "w", 3])],
        [
            helper.make_tensor_value_info("mixed", TensorProto.FLOAT, ["n", 4, height, "w"]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 4]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_filter(repository: Path, name: str = "filter", *, max_batch: int = 16, weights: bytes | None = None) -> Path:
    """A model folder for the official image with `filter_graph` in it, or with other content as its weights."""
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    lead, batching = ("", "dynamic_batching { }") if max_batch else ("1, ", "")
    config = FILTER_CONFIG.format(name=name, max_batch=max_batch, lead=lead, batching=batching)
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")
    if weights is None:
        onnx.save(filter_graph(), folder / "1" / "model.onnx")
    else:
        (folder / "1" / "model.onnx").write_bytes(weights)
    return folder


def write_emulated(repository: Path, *, changes: Mapping[str, str]) -> Path:
    """The emulated accelerator with parts of its config replaced, each of which must be there."""
    folder = repository / EMULATED_MODEL
    shutil.copytree(EMULATED / EMULATED_MODEL, folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "config.pbtxt"
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return folder


def start(
    repository: Path, model: str, folder: Path, *, ports: Ports | None = None, restarts: int = 0
) -> EmbeddedTriton:
    """A server for one model; its log lies in `folder`."""
    return EmbeddedTriton.start(
        repository,
        [model],
        cache_folder=CACHE,
        log_path=folder / "triton.log",
        cpus=2,
        ports=ports,
        restarts=restarts,
    )


@contextlib.contextmanager
def client(server: EmbeddedTriton, model: str, options: TritonOptions | None = None) -> Iterator[TritonInference]:
    """A connection that is closed at the end; by default it may use shared memory."""
    inference = connect(server.grpc_address, model, options=options or TritonOptions(headers=server.grpc_headers))
    try:
        yield inference
    finally:
        inference.close()


def frames(count: int, *, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """(count, height, width, 3) random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Traces:
    """What a running server has on this machine: processes, and files that must go with it."""

    processes: tuple[psutil.Process, ...]
    files: tuple[Path, ...]

    def left(self, timeout_s: float = 10.0) -> list[str]:
        """Waits for the processes to end; names what is still there."""
        return still_running(self.processes, timeout_s) + [str(path) for path in self.files if path.exists()]


def still_running(processes: Sequence[psutil.Process], timeout_s: float = 10.0) -> list[str]:
    """Waits for processes to end; names those that did not. One that nobody has reaped yet has ended."""
    deadline_s = time.monotonic() + timeout_s
    return [str(process) for process in processes if not _ends(process.pid, deadline_s - time.monotonic())]


def _ends(pid: int, timeout_s: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], max(0.0, timeout_s))[0])
    finally:
        os.close(handle)


def traces(supervisor_pid: int) -> Traces:
    """The supervisor's whole family, the server's shared memory and its model folder."""
    supervisor = psutil.Process(supervisor_pid)
    family = (supervisor, *supervisor.children(recursive=True))
    words = " ".join(word for process in family for word in process.cmdline())
    prefix = re.search(r"shm-region-prefix-name=(\S+)", words)
    folder = re.search(r"--model-repository=(\S+)", words)
    assert prefix is not None
    assert folder is not None
    shared = tuple(Path("/dev/shm").glob(f"{prefix[1]}*"))
    assert shared, "the Python backend has its regions"
    return Traces(family, (*shared, Path(folder[1])))
