"""EMULATED accelerator: a Triton Python-backend model that takes as long as its config says, and computes nothing.

All instances share one device. Like a GPU's stream it takes batches one after another, in the order they were handed to
it, without a gap while one is waiting: an instance books the device's next free time under a lock and sleeps until its
batch would be done. Each frame's one box is fixed, its score is its first byte / 255, so that answers can be checked.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import mmap
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

_PR_SET_TIMERSLACK = 29
_FREE_AT = struct.Struct("d")


class _Device:
    """The one device behind all instances: a file with the monotonic time at which it is free."""

    def __init__(self, path: Path) -> None:
        # Opened for appending: whoever comes first makes the file, nobody empties it.
        self._file = path.open("ab+")
        with self._locked():
            if self._file.seek(0, 2) < _FREE_AT.size:
                self._file.write(_FREE_AT.pack(0.0))
                self._file.flush()
        self._memory = mmap.mmap(self._file.fileno(), _FREE_AT.size)

    def run(self, duration_s: float) -> None:
        """Returns when the device has done `duration_s` of work for us, after what others booked before."""
        with self._locked():
            (free_at_s,) = _FREE_AT.unpack_from(self._memory)
            done_at_s = max(free_at_s, time.monotonic()) + duration_s
            _FREE_AT.pack_into(self._memory, 0, done_at_s)
        time.sleep(max(0.0, done_at_s - time.monotonic()))

    def _locked(self) -> _Lock:
        return _Lock(self._file.fileno())


class _Lock:
    """Holds a file's lock inside a `with` block."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __enter__(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_UN)


class TritonPythonModel:
    """What the backend looks for by this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Reads the two times and opens the device."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._batch_s = float(parameters["emulated_batch_ms"]["string_value"]) / 1000
        self._frame_s = float(parameters["emulated_frame_ms"]["string_value"]) / 1000
        self._device = _Device(Path(__file__).with_name("device"))
        # Linux otherwise rounds a sleep up by 50 us.
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Takes the batch's time, then answers."""
        frames = [pb_utils.get_input_tensor_by_name(request, "frames").as_numpy() for request in requests]
        self._device.run(self._batch_s + self._frame_s * sum(len(part) for part in frames))
        return [_answer(part) for part in frames]


def _answer(frames: np.ndarray[Any, np.dtype[np.uint8]]) -> Any:
    count = len(frames)
    boxes = np.tile(np.array([0.25, 0.25, 0.75, 0.75], np.float32), (count, 1, 1))
    scores = frames.reshape(count, -1)[:, 0].astype(np.float32).reshape(count, 1, 1) / 255
    return pb_utils.InferenceResponse(
        output_tensors=[pb_utils.Tensor("boxes", boxes), pb_utils.Tensor("scores", scores)]
    )
