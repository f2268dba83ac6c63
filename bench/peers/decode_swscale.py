"""Decoding to the model's pixels by PyAV and swscale in one pass: a process per core, one thread each.

No message and no process boundary; what our own scaling and the isolation of our decoder are measured against.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from bench.peers.model import Boxes, contract_of, video_size
from bench.peers.side_by_side import run_side_by_side
from bench.tasks import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    return run_side_by_side(decode, task, task.cores)


def decode(task: Task) -> int:
    """One process's share: the whole clip."""
    geometry = Boxes(contract_of(task.weights), video_size(task.clip)).geometry
    width, height = geometry.inner_size
    slot = np.zeros((geometry.height, geometry.width, 3), np.uint8)
    inside = slot[geometry.pad_y : geometry.pad_y + height, geometry.pad_x : geometry.pad_x + width]
    reformatter = VideoReformatter()
    count = 0
    with av.open(str(task.clip)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for picture in container.decode(stream):
            small = reformatter.reformat(
                picture, width=width, height=height, format="rgb24", interpolation=Interpolation.BILINEAR, threads=1
            )
            plane = small.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
            inside[...] = rows[:, : width * 3].reshape(height, width, 3)
            count += 1
            if count == task.frames:
                break
    return count
