"""The stock `tritonclient`, tuned: PyAV decodes ahead, `async_infer` keeps the batcher full, callbacks answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tritonclient import grpc as triton

from bench.agreement import FrameBoxes, save
from bench.child import measured
from bench.peers.frames import DecodeThread
from bench.peers.model import Boxes, Outputs, Pixels, contract_of, video_size
from bench.tasks import Sample, Task
from videojob.vision.tensors import ModelContract


def requested_outputs(contract: ModelContract) -> list[Any]:
    """The outputs to ask for."""
    return [triton.InferRequestedOutput(name) for name in contract.outputs]


def request_of(contract: ModelContract, pixels: Pixels) -> Any:
    """The one input, filled."""
    tensor = triton.InferInput(contract.pixels.name, list(pixels.shape), contract.pixels.dtype)
    tensor.set_data_from_numpy(pixels)
    return tensor


def outputs_of(contract: ModelContract, reply: Any) -> Outputs:
    """The reply's tensors by name."""
    return {name: reply.as_numpy(name) for name in contract.outputs}


class StockClient:
    """Requests in flight up to a bound, answers in a queue.

    Args:
        task: says where the server is.
        contract: the model's description.
        in_flight: most requests without an answer.
    """

    def __init__(self, task: Task, contract: ModelContract, in_flight: int) -> None:
        if task.server is None:
            raise ValueError("this peer needs a server")
        self._client = triton.InferenceServerClient(task.server.address)
        self._model = task.model
        self._contract = contract
        self._outputs = requested_outputs(contract)
        self._free = threading.Semaphore(in_flight)
        self.answers: queue.SimpleQueue[tuple[int, Any, Any]] = queue.SimpleQueue()

    def submit(self, number: int, pixels: Pixels) -> None:
        """Sends frames (n, height, width, 3); waits while too many are open."""
        self._free.acquire()
        self._client.async_infer(
            self._model, [request_of(self._contract, pixels)], outputs=self._outputs, callback=self._answered(number)
        )

    def _answered(self, number: int) -> Callable[[Any, Any], None]:
        def answered(result: Any, error: Any) -> None:
            self._free.release()
            self.answers.put((number, result, error))

        return answered

    def send_all(self, requests: Iterable[tuple[int, Pixels]]) -> threading.Thread:
        """Submits everything from a thread of its own; a number of -1 in the answers ends them."""

        def send() -> None:
            count = 0
            for number, pixels in requests:
                self.submit(number, pixels)
                count += 1
            self.answers.put((-1, count, None))

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    contract = contract_of(task.weights)
    boxes = Boxes(contract, video_size(task.clip))
    geometry = boxes.geometry
    client = StockClient(task, contract, 2 * contract.max_batch * task.cores)
    client.submit(0, np.zeros((1, geometry.height, geometry.width, 3), np.uint8))
    client.answers.get()
    found: dict[int, FrameBoxes] = {}
    with measured(task) as measurement:
        frames = DecodeThread(task.clip, task.frames, geometry, contract.pixels)
        client.send_all((number, pixels[None]) for number, pixels in frames)
        expected = None
        while expected is None or len(found) < expected:
            number, result, error = client.answers.get()
            if error is not None:
                raise error
            if number < 0:
                expected = int(result)
            else:
                [found[number]] = boxes.read(outputs_of(contract, result))
        measurement.frames = len(found)
    client.close()
    if task.boxes is not None:
        save(task.boxes, [found[number] for number in sorted(found)])
    return measurement.sample()
