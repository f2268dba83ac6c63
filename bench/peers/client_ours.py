"""Our Triton client alone: frames lie ready in the ring, answers are read and dropped. One process, one thread.

Options: `height`, `width` of the frames; `group` frames per request; `in_flight` frames; `shared_memory` "0" sends the
frames by gRPC, as to a server on another host.
"""

from __future__ import annotations

from collections import deque

from bench.child import measured
from bench.peers.ours import connect_to
from bench.tasks import Sample, Task
from videojob.adapters.triton.client import TritonInference
from videojob.media.parent.rings import RingHolder
from videojob.ports.decoding import FrameRing

_WAIT_S = 10.0


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    height, width, group, in_flight = (int(task.options[name]) for name in ("height", "width", "group", "in_flight"))
    holder, inference = RingHolder(), connect_to(task, shared_memory=task.options.get("shared_memory") != "0")
    try:
        ring = holder.ring(in_flight, height * width * 3)
        inference.attach(ring)
        shape = (height, width, 3)
        _stream(inference, ring, shape, group=group, frames=2 * in_flight)
        with measured(task) as measurement:
            _stream(inference, ring, shape, group=group, frames=task.frames)
            measurement.frames = task.frames
    finally:
        inference.close()
        holder.close()
    return measurement.sample()


def _stream(
    inference: TritonInference, ring: FrameRing, shape: tuple[int, int, int], *, group: int, frames: int
) -> None:
    """Keeps every slot of the ring with the server."""
    free = deque(range(0, ring.slots - group + 1, group))
    slot_of: dict[int, int] = {}
    sent = answered = 0
    while answered < frames:
        while free and sent < frames:
            slot, request = free.popleft(), sent
            inference.submit(request, ring.view(slot, group, shape), slot)
            slot_of[request] = slot
            sent += group
        reply = inference.collect(_WAIT_S)
        if reply is None:
            raise RuntimeError("the server does not answer")
        free.append(slot_of.pop(reply.request_id))
        answered += group
