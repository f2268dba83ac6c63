"""`TritonInference`: ports.Inference over gRPC, frames by shared memory where the server is on this host.

Requests are asynchronous. gRPC's own thread puts each finished call into a queue; everything else, retries included,
happens on the caller's thread inside `submit` and `collect`, so there is one owner and no lock. Who calls bounds how
much is open; nothing here grows by itself.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import queue
import time
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import numpy as np
from numpy.typing import NDArray

from videojob.adapters.triton.channel import TritonChannel, TritonOptions, is_loopback
from videojob.adapters.triton.policy import (
    final_error,
    is_answer,
    is_passing,
    is_timeout,
    is_unknown_region,
    is_unreachable,
)
from videojob.adapters.triton.regions import Region, lies_in_shared_memory
from videojob.adapters.triton.wire import RequestEncoder, WireReply, parse_reply
from videojob.errors import InvalidModelOutput
from videojob.ports.decoding import FrameRing
from videojob.ports.inference import InferenceReply, ServerStatistics
from videojob.vision.contract import contract_from_config
from videojob.vision.tensors import ModelContract

_LOG = logging.getLogger(__name__)
_HOLLOW_TRIES = 5  # with growing pauses: about the time in which the embedded server comes back
_DRAIN_S = 2.0


@dataclass(slots=True)
class _Open:
    """A request without an answer."""

    request_id: int
    frames: NDArray[np.generic]
    region: Region | None
    first_slot: int
    failures: int = 0
    timeouts: int = 0
    failing_since_s: float | None = None
    """When it first failed other than by its deadline."""
    call: Any = None
    """gRPC's future; None while the request waits to be sent again."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A finished call, as gRPC's thread hands it over."""

    request_id: int
    call: Any
    at_s: float


def connect(url: str, model: str, version: str = "", *, options: TritonOptions | None = None) -> TritonInference:
    """Connects to a model, waiting for server and model as long as the options say.

    Args:
        url: HOST:PORT, or a gRPC target; a name with several addresses is used round-robin.
        model: its name.
        version: a version, or "" for the server's choice.
        options: see `TritonOptions`.

    Raises:
        ServerUnavailable, ServerError, ModelNotFound: see `TritonChannel.model_config`.
        ModelSignatureMismatch: the model's description does not say how pixels go in and boxes come out.
    """
    channel = TritonChannel(url, options or TritonOptions())
    try:
        # The server's choice is asked for once and kept: a version that comes up later is another model.
        pinned = version or channel.newest_version(model)
        contract = contract_from_config(channel.model_config(model, pinned), pinned)
    except BaseException:
        channel.close()
        raise
    return TritonInference(channel, contract)


class TritonInference:
    """Implements `ports.Inference`; made by `connect`, used by one thread."""

    def __init__(self, channel: TritonChannel, contract: ModelContract) -> None:
        self._channel = channel
        self._contract = contract
        self._options = channel.options
        self._encoder = RequestEncoder(
            contract.name, contract.version, contract.pixels.name, contract.pixels.dtype, contract.outputs
        )
        self._region: Region | None = None
        self._open: dict[int, _Open] = {}
        self._orphans: dict[Any, Region] = {}
        self._waiting: list[tuple[float, int]] = []
        self._finished: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._closed = False
        self._fresh_s = time.monotonic()
        """When the server last answered, or the connection was made."""

    @property
    def contract(self) -> ModelContract:
        """The model, as the server describes it."""
        return self._contract

    @property
    def transport(self) -> Literal["grpc", "shared-memory"]:
        """How frames of the attached ring travel."""
        return "grpc" if self._region is None else "shared-memory"

    @property
    def open_requests(self) -> int:
        """Requests without an answer."""
        return len(self._open)

    def attach(self, ring: FrameRing) -> None:
        """Registers the ring with a server on this host; otherwise, or when it refuses, frames go by gRPC.

        The ring that is attached already stays as it is.
        """
        if self._region is not None:
            if self._region.path == ring.path:
                return
            self._region.retire()
            self._region = None
        if self._options.shared_memory and is_loopback(self._channel.url) and lies_in_shared_memory(ring.path):
            region = Region(self._channel, ring)
            if region.register():
                self._region = region

    def submit(self, request_id: int, frames: NDArray[np.generic], first_slot: int | None) -> None:
        """Sends frames (n, ...) and returns at once; they must stay unchanged until their reply."""
        if request_id in self._open:
            raise ValueError(f"request {request_id} is open already")
        region = self._region if first_slot is not None else None
        if not self._open:
            self._fresh_s = time.monotonic()  # silence only counts while something is asked
        request = _Open(request_id, np.ascontiguousarray(frames), region, first_slot or 0)
        self._open[request_id] = request
        self._send(request)

    def collect(self, timeout_s: float) -> InferenceReply | None:
        """The next reply, in any order; None when none came within `timeout_s`.

        Raises:
            ServerUnavailable, InferenceTimeout: retries are used up.
            ModelSignatureMismatch, ModelNotFound, InvalidModelOutput, ServerError: a retry would not help.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._resend_due()
            wait_s = max(0.0, deadline_s - time.monotonic())
            if self._waiting:
                wait_s = min(wait_s, max(0.0, self._waiting[0][0] - time.monotonic()))
            try:
                done = self._finished.get(timeout=wait_s) if wait_s else self._finished.get_nowait()
            except queue.Empty:
                if time.monotonic() >= deadline_s:
                    return None
                continue
            reply = self._finish(done)
            if reply is not None:
                return reply

    def abandon(self) -> None:
        """Forgets every open request; their replies and errors are never seen again.

        What came by gRPC is cancelled. What lies in shared memory the server finishes (it is no more than a few
        batches): only its answer says that it reads the ring no longer.
        """
        for request in self._open.values():
            if request.region is not None and request.call is not None:
                self._orphans[request.call] = request.region
            elif request.call is not None:
                request.call.cancel()
        self._open.clear()
        self._waiting.clear()

    def statistics(self, timeout_s: float | None = None) -> ServerStatistics:
        """The server's counters for this model; see `ports.Inference.statistics`."""
        return self._channel.statistics(self._contract.name, self._contract.version, timeout_s)

    def close(self) -> None:
        """Drops open requests and the connection; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._drain()
        if self._region is not None:
            self._region.retire()
        self._channel.close()

    def _send(self, request: _Open) -> None:
        if request.region is not None:
            place = request.region.acquire(request.first_slot, request.frames.nbytes)
            data = self._encoder.shared(str(request.request_id), request.frames.shape, place)
        else:
            data = self._encoder.raw(str(request.request_id), request.frames)
        call = self._channel.infer.future(data, timeout=self._options.call_timeout_s, metadata=self._options.headers)
        request.call = call
        finished, request_id = self._finished, request.request_id
        call.add_done_callback(lambda ended: finished.put(_Done(request_id, ended, time.monotonic())))

    def _finish(self, done: _Done) -> InferenceReply | None:
        request = self._open.get(done.request_id)
        if request is None or request.call is not done.call:
            self._bury(done.call)
            return None
        try:
            data = done.call.result()
        except grpc.RpcError as error:
            _release(request, answered=is_answer(error))
            request.call = None
            self._retry_or_raise(request, error)
            self._renew_when_silent(error, done.at_s)
            return None
        self._fresh_s = done.at_s
        _release(request, answered=True)
        answer = parse_reply(data)
        if not answer.outputs and request.failures < _HOLLOW_TRIES:
            # A Python stub that dies under a request leaves an answer without outputs; the next one has them.
            request.failures += 1
            request.call = None
            due_s = time.monotonic() + self._options.retry.delay_s(request.request_id, request.failures)
            heapq.heappush(self._waiting, (due_s, request.request_id))
            return None
        del self._open[done.request_id]
        reply = self._checked(request, answer)
        return InferenceReply(request.request_id, reply.outputs, request.failures)

    def _checked(self, request: _Open, reply: WireReply) -> WireReply:
        name = self._contract.name
        if reply.request_id != str(request.request_id):
            raise InvalidModelOutput(f"request {request.request_id} was answered as {reply.request_id!r}", uri=name)
        count = len(request.frames)
        for output in self._contract.outputs:
            value = reply.outputs.get(output)
            if value is None or value.ndim == 0 or len(value) != count:
                shape = "nothing" if value is None else f"shape {value.shape}"
                raise InvalidModelOutput(f"output {output!r} came as {shape} for {count} frames", uri=name)
        return reply

    def _retry_or_raise(self, request: _Open, error: grpc.RpcError) -> None:
        request.failures += 1
        request.timeouts += is_timeout(error)
        now_s = time.monotonic()
        if request.failing_since_s is None and not is_timeout(error):
            request.failing_since_s = now_s
        policy = self._options.retry
        due_s = now_s + policy.delay_s(request.request_id, request.failures)
        lost_region = request.region is not None and is_unknown_region(error)
        may_pass = lost_region or is_passing(error) or is_timeout(error)
        failing_s = due_s - (request.failing_since_s or now_s)
        if not may_pass or not policy.may_retry(error, timeouts=request.timeouts, failing_s=failing_s):
            del self._open[request.request_id]
            raise final_error(
                error, model=self._contract.name, address=self._channel.url, attempts=request.failures
            ) from error
        if lost_region:
            self._register_again(request)
        heapq.heappush(self._waiting, (due_s, request.request_id))

    def _renew_when_silent(self, error: grpc.RpcError, now_s: float) -> None:
        """Looks for the server again when it has not answered for long: it may be back under another address."""
        if is_answer(error):
            self._fresh_s = now_s
        elif is_unreachable(error) and now_s - self._fresh_s >= self._options.renew_after_s:
            self._fresh_s = now_s
            self._channel.renew()

    def _register_again(self, request: _Open) -> None:
        """The server came back without our region: tell it again, or send this request's frames by gRPC."""
        if request.region is not None and not request.region.register():
            if request.region is self._region:
                self._region = None
            request.region = None

    def _resend_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, request_id = heapq.heappop(self._waiting)
            request = self._open.get(request_id)
            if request is not None:
                self._send(request)

    def _drain(self) -> None:
        """Waits a moment for what is open: a server must not lose the memory that it reads. Then cancels it."""
        deadline_s = time.monotonic() + _DRAIN_S
        self.abandon()
        while self._orphans and (left_s := deadline_s - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._bury(self._finished.get(timeout=left_s).call)
        for call, region in self._orphans.items():
            call.cancel()
            region.release(answered=False)
        self._orphans.clear()

    def _bury(self, call: Any) -> None:
        """The end of a call that nobody waits for any more."""
        region = self._orphans.pop(call, None)
        if region is not None:
            error = call.exception()
            region.release(answered=error is None or is_answer(error))


def _release(request: _Open, *, answered: bool) -> None:
    if request.region is not None:
        request.region.release(answered=answered)
