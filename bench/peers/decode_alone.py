"""Our own scaling without our decoder process: what the isolation of the decoder costs.

A process per core, one thread each, `PictureWriter` called in place.
"""

from __future__ import annotations

import numpy as np

from bench.peers.frames import decode_into
from bench.peers.model import Boxes, contract_of, video_size
from bench.peers.side_by_side import run_side_by_side
from bench.tasks import Sample, Task

_SLOTS = 40  # as many as ours has


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    return run_side_by_side(decode, task, task.cores)


def decode(task: Task) -> int:
    """One process's share: the whole clip."""
    contract = contract_of(task.weights)
    geometry = Boxes(contract, video_size(task.clip)).geometry
    slots = [np.empty((geometry.height, geometry.width, 3), np.uint8) for _ in range(_SLOTS)]
    return decode_into(slots, task.clip, task.frames, geometry, contract.pixels)
