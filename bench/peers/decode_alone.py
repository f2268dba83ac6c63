"""Our own scaling without our decoder process: what the isolation of the decoder costs.

A process per core, one thread each, `PictureWriter` called in place.
"""

from __future__ import annotations

from collections import deque

from bench.peers.frames import decode as pictures
from bench.peers.model import Boxes, contract_of, video_size
from bench.peers.side_by_side import run_side_by_side
from bench.values import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    return run_side_by_side(decode, task, task.cores)


def decode(task: Task) -> int:
    """One process's share: the whole clip."""
    contract = contract_of(task.weights)
    geometry = Boxes(contract, video_size(task.clip)).geometry
    frames = pictures(task.clip, task.frames, geometry, contract.pixels, threads=1)
    last = deque(enumerate(frames, 1), maxlen=1)
    return last[0][0] if last else 0
