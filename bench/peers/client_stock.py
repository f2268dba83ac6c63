"""The stock `tritonclient` alone: frames lie ready in memory, answers are read and dropped. One process.

Options: `height`, `width` of the frames; `group` frames per request (1 is what the client's users send); `in_flight`
frames.
"""

from __future__ import annotations

import numpy as np

from bench.child import measured
from bench.peers.model import Pixels
from bench.peers.ours import contract_on_server
from bench.peers.stock import StockClient, outputs_of
from bench.tasks import Sample, Task
from videojob.vision.tensors import ModelContract


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    height, width, group, in_flight = (int(task.options[name]) for name in ("height", "width", "group", "in_flight"))
    contract = contract_on_server(task)
    client = StockClient(task, contract, in_flight // group)
    pixels = np.zeros((group, height, width, 3), np.uint8)
    _stream(client, contract, pixels, 2 * in_flight)
    with measured(task) as measurement:
        _stream(client, contract, pixels, task.frames)
        measurement.frames = task.frames
    client.close()
    return measurement.sample()


def _stream(client: StockClient, contract: ModelContract, pixels: Pixels, frames: int) -> None:
    requests = frames // len(pixels)
    client.send_all((number, pixels) for number in range(requests))
    left = requests + 1
    while left:
        number, result, error = client.answers.get()
        if error is not None:
            raise error
        if number >= 0:
            outputs_of(contract, result)
        left -= 1
