"""What a gRPC status means for a request: try again, re-register, give up, and with which error."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import grpc

from videojob.errors import (
    InferenceTimeout,
    ModelNotFound,
    ModelSignatureMismatch,
    RequestTooLarge,
    ServerError,
    ServerUnavailable,
    VideoJobError,
)
from videojob.vision.contract import DECOUPLED_HINT

_PASSING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED})
_UNKNOWN_REGION = "shared memory region"
_QUEUE_FULL = "maximum queue size"
# The Python backend says so when its process died, and when that process could not even store what went wrong.
_STUB_DIED = ("stub process", "failed to process the requests")
# The words of gRPC for C++ and Go, for Java, Rust and .NET, and of a proxy that speaks HTTP; their status differs.
_TOO_LARGE = (
    "message larger than max",
    "message exceeds maximum size",
    "message length too large",
    "message exceeds the maximum configured",
    "http2 header with status: 413",
)
_NO_HTTP2 = ("http1.x server", "expected settings frame as the first frame")
_DECOUPLED = "decoupled"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to go on.

    Attributes:
        give_up_after_s: from a request's first failure that is no passed deadline; covers a server that restarts.
        timeouts: how many passed deadlines end a request; however long they are, the time above is not theirs.
        first_delay_s, max_delay_s: pause before the first repeat, doubled each time up to the second.
    """

    give_up_after_s: float = 60.0
    timeouts: int = 3
    first_delay_s: float = 0.1
    max_delay_s: float = 2.0

    def may_retry(self, error: grpc.RpcError, *, timeouts: int, failing_s: float) -> bool:
        """Whether a request whose last attempt ended with `error`, which may pass, is sent again.

        Args:
            error: of the last attempt.
            timeouts: deadlines that the request has passed, this one included.
            failing_s: from its first other failure to when it would be sent again.
        """
        return timeouts < self.timeouts if is_timeout(error) else failing_s <= self.give_up_after_s

    def delay_s(self, request_id: int, failures: int) -> float:
        """Pause before the next attempt: exponential, spread over (0.5, 1] of it, the same for the same arguments."""
        full = min(self.max_delay_s, self.first_delay_s * 2.0 ** min(failures - 1, 16))
        spread = zlib.crc32(f"{request_id}/{failures}".encode()) / 2**32
        return full * (1.0 - spread / 2)


def is_unknown_region(error: grpc.RpcError) -> bool:
    """Whether the server lost our shared memory registration, as after a restart."""
    return _code(error) is not grpc.StatusCode.UNAVAILABLE and _UNKNOWN_REGION in details(error).lower()


def is_passing(error: grpc.RpcError) -> bool:
    """Whether the same request may succeed in a moment."""
    code = _code(error)
    if code in _PASSING:
        return not is_too_large(error)
    is_failure = code in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
    return is_failure and any(words in details(error).lower() for words in _STUB_DIED)


def is_too_large(error: grpc.RpcError) -> bool:
    """Whether the server, or a proxy before it, takes no message as large as this request: it never will."""
    return not is_timeout(error) and any(words in details(error).lower() for words in _TOO_LARGE)


def is_no_grpc(error: grpc.RpcError) -> bool:
    """Whether something answers at the address that does not speak gRPC, as a server's HTTP port."""
    return any(words in details(error).lower() for words in _NO_HTTP2)


def is_timeout(error: grpc.RpcError) -> bool:
    """Whether the call passed its deadline."""
    return _code(error) is grpc.StatusCode.DEADLINE_EXCEEDED


def is_unreachable(error: grpc.RpcError) -> bool:
    """Whether no server could be reached at all."""
    return _code(error) is grpc.StatusCode.UNAVAILABLE and not is_answer(error)


def is_answer(error: grpc.RpcError) -> bool:
    """Whether the server itself ended the call, so that it has let go of the request's memory."""
    code = _code(error)
    if code is grpc.StatusCode.UNAVAILABLE:
        return _QUEUE_FULL in details(error).lower()
    return code not in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


def final_error(error: grpc.RpcError, *, model: str, address: str, attempts: int) -> VideoJobError:
    """The error to raise when nothing more will be tried."""
    words = details(error)
    tried = f"after {attempts} attempt{'s' if attempts > 1 else ''}"
    if is_timeout(error):
        return InferenceTimeout(
            f"the server at {address} did not answer in time, {tried}",
            uri=model,
            hint="It is overloaded or hangs: check its queue, or give it more instances.",
        )
    if is_no_grpc(error):
        hint = "Give the port of Triton's gRPC, by default 8001, and not that of its HTTP, 8000."
        return ServerError(f"what answers at {address} does not speak gRPC: {words}", uri=model, hint=hint)
    if is_passing(error):
        return ServerUnavailable(
            f"no answer from the server at {address}, {tried}: {words}",
            uri=model,
            hint="Check that it runs and that this address leads to it.",
        )
    return _rejection(error, model=model, address=address)


def _rejection(error: grpc.RpcError, *, model: str, address: str) -> VideoJobError:
    """The error for a request that the server would not take a second time either."""
    code, words = _code(error), details(error)
    if is_too_large(error):
        return RequestTooLarge(f"the server at {address} rejects messages of this size: {words}", uri=model)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return ModelSignatureMismatch(
            f"the server refused the request: {words}", uri=model, hint="Compare config.pbtxt with the model's tensors."
        )
    if code is grpc.StatusCode.NOT_FOUND:
        return ModelNotFound(f"the server at {address} says: {words}", uri=model, hint="Load the model there.")
    if code is grpc.StatusCode.UNIMPLEMENTED and _DECOUPLED in words.lower():
        return ModelSignatureMismatch(f"the server refused the request: {words}", uri=model, hint=DECOUPLED_HINT)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        hint = "Check that the address is that of Triton's own gRPC, and that a proxy before it passes all its methods."
        return ServerError(f"what answers at {address} is not Triton: {words} ({code.name})", uri=model, hint=hint)
    return ServerError(f"the server at {address} failed: {words} ({code.name})", uri=model)


def details(error: grpc.RpcError) -> str:
    """The server's own words."""
    return str(error.details()) if isinstance(error, grpc.Call) else str(error)


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN
