"""Reads a server's counters between segments: how many frames a request is to have, and what the server did."""

from __future__ import annotations

from videojob.errors import ServerError
from videojob.ports.clock import Clock
from videojob.ports.inference import Inference, ServerStatistics
from videojob.results.aggregate.segment_results import ServerWork

_TIMEOUT_S = 1.0
_CHEAP_FRAME_S = 0.004  # below this the server's work per frame is of the order of a request's own cost: group frames


class ServerMeter:
    """The counters of one model's server, read once per segment.

    Args:
        inference: whose server.
        clock: the time.
        worker: instance type of this machine; "" when nothing tells it.
    """

    def __init__(self, inference: Inference, clock: Clock, worker: str = "") -> None:
        self._inference = inference
        self._clock = clock
        self._worker = worker
        self._last: ServerStatistics | None = None
        self._last_s = clock.monotonic_s()
        self._group = 1

    @property
    def group(self) -> int:
        """Frames per request from now on: one, unless the server is so fast that requests themselves are the work."""
        return self._group

    def read(self, input_pixels: int = 0) -> ServerWork | None:
        """What the server did since the last reading; None when it does not tell, or was restarted.

        Args:
            input_pixels: width times height of the frames that were sent.
        """
        try:
            now = self._inference.statistics(timeout_s=_TIMEOUT_S)
        except ServerError:
            return None  # it is about speed only: the work itself will tell when the server is gone
        now_s, before, before_s = self._clock.monotonic_s(), self._last, self._last_s
        self._last, self._last_s = now, now_s
        contract = self._inference.contract
        frame_s = _frame_s(before, now)
        if frame_s is not None:
            self._group = max(1, contract.max_batch // 2) if frame_s < _CHEAP_FRAME_S else 1
        if before is None or now.executions <= before.executions or now.execution_s <= before.execution_s:
            return None
        return ServerWork(
            window_s=now_s - before_s,
            executions=now.executions - before.executions,
            frames=now.inferences - before.inferences,
            frames_squared=now.frames_squared - before.frames_squared,
            execution_s=now.execution_s - before.execution_s,
            frame_execution_s=now.frame_execution_s - before.frame_execution_s,
            max_batch=max(1, contract.max_batch),
            instances=contract.instances,
            input_pixels=input_pixels,
            worker=self._worker,
        )


def _frame_s(before: ServerStatistics | None, now: ServerStatistics) -> float | None:
    """Seconds of the model per frame between two readings; None when nothing ran, or the server restarted.

    A batch's time is counted once for each of its requests, so the sum over requests is first brought back to batches.
    """
    if before is None:
        before = ServerStatistics()
    frames, batches = now.inferences - before.inferences, now.executions - before.executions
    requests = now.requests - before.requests
    if min(frames, batches, requests) <= 0:
        return None
    return (now.compute_infer_s - before.compute_infer_s) / requests * batches / frames
