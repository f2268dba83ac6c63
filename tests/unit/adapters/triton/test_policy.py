"""Which gRPC status is tried again, and which error it becomes."""

from __future__ import annotations

import grpc
import pytest

from videojob.adapters.triton.channel import TritonOptions, is_loopback, target_of
from videojob.adapters.triton.policy import (
    RetryPolicy,
    final_error,
    is_answer,
    is_passing,
    is_timeout,
    is_unknown_region,
)
from videojob.errors import (
    InferenceTimeout,
    ModelNotFound,
    ModelSignatureMismatch,
    RequestTooLarge,
    ServerError,
    ServerUnavailable,
    VideoJobError,
)

Code = grpc.StatusCode


class Failed(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A finished call with a status."""

    def __init__(self, code: grpc.StatusCode, words: str = "words") -> None:
        self._code, self._words = code, words

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._words

    def initial_metadata(self) -> tuple[()]:
        return ()

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> None:
        return None

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: object) -> bool:
        return callback is None


@pytest.mark.parametrize(
    ("code", "words", "again", "kind"),
    [
        (Code.UNAVAILABLE, "connection refused", True, ServerUnavailable),
        (Code.UNAVAILABLE, "Exceeds maximum queue size", True, ServerUnavailable),
        (Code.CANCELLED, "the server went", True, ServerUnavailable),
        (Code.RESOURCE_EXHAUSTED, "quota", True, ServerUnavailable),
        (
            Code.RESOURCE_EXHAUSTED,
            "SERVER: Received message larger than max (4915300 vs. 4194304)",
            False,
            RequestTooLarge,
        ),
        (
            Code.RESOURCE_EXHAUSTED,
            "grpc: received message larger than max (4915300 vs. 4194304)",
            False,
            RequestTooLarge,
        ),
        (Code.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304: 4915300", False, RequestTooLarge),
        (
            Code.OUT_OF_RANGE,
            "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes",
            False,
            RequestTooLarge,
        ),
        (Code.UNKNOWN, "Received http2 header with status: 413", False, RequestTooLarge),
        (
            Code.UNIMPLEMENTED,
            "ModelInfer RPC doesn't support models with decoupled transaction policy",
            False,
            ModelSignatureMismatch,
        ),
        (Code.UNIMPLEMENTED, "Received http2 header with status: 404", False, ServerError),
        (Code.INTERNAL, "Stub process 'm_0_0' is not healthy.", True, ServerUnavailable),
        (Code.INTERNAL, "Failed to process the requests.", True, ServerUnavailable),
        (Code.INTERNAL, "ONNX Runtime: bad", False, ServerError),
        (Code.UNKNOWN, "anything", False, ServerError),
        (Code.UNIMPLEMENTED, "no such method", False, ServerError),
        (Code.INVALID_ARGUMENT, "unexpected shape", False, ModelSignatureMismatch),
        (Code.NOT_FOUND, "unknown model", False, ModelNotFound),
        (Code.DEADLINE_EXCEEDED, "late", False, InferenceTimeout),
    ],
)
def test_a_status_is_passing_or_final_and_has_its_error(
    code: grpc.StatusCode, words: str, again: bool, kind: type[VideoJobError]
) -> None:
    failed = Failed(code, words)
    assert is_passing(failed) is again
    assert is_timeout(failed) is (code is Code.DEADLINE_EXCEEDED)
    error = final_error(failed, model="m", address="host:1", attempts=3)
    assert type(error) is kind
    assert error.uri == "m"
    assert "host:1" in error.message or words in error.message


def test_only_an_answer_of_the_server_lets_go_of_the_requests_memory() -> None:
    assert is_answer(Failed(Code.INVALID_ARGUMENT))
    assert is_answer(Failed(Code.RESOURCE_EXHAUSTED))
    assert is_answer(Failed(Code.UNAVAILABLE, "Exceeds maximum queue size"))
    assert not is_answer(Failed(Code.DEADLINE_EXCEEDED))
    assert not is_answer(Failed(Code.CANCELLED))
    assert not is_answer(Failed(Code.UNAVAILABLE))


@pytest.mark.parametrize(
    ("code", "words", "lost"),
    [
        (Code.NOT_FOUND, "Unable to find shared memory region: 'videojob-1'", True),
        (Code.INVALID_ARGUMENT, "Invalid offset for shared memory region: 'videojob-1'", True),
        (Code.UNAVAILABLE, "no shared memory region", False),
        (Code.NOT_FOUND, "unknown model", False),
    ],
)
def test_a_lost_registration_is_recognised(code: grpc.StatusCode, words: str, lost: bool) -> None:
    assert is_unknown_region(Failed(code, words)) is lost


def test_delays_grow_to_their_limit_and_are_the_same_for_the_same_request() -> None:
    policy = RetryPolicy(first_delay_s=0.1, max_delay_s=1.0)
    delays = [policy.delay_s(7, failures) for failures in range(1, 40)]
    assert delays == [policy.delay_s(7, failures) for failures in range(1, 40)]
    for failures, delay in enumerate(delays, start=1):
        full = min(1.0, 0.1 * 2 ** (failures - 1))
        assert full / 2 <= delay <= full


def test_requests_that_fail_together_do_not_come_back_together() -> None:
    policy = RetryPolicy()
    assert len({policy.delay_s(request, 1) for request in range(100)}) > 90


@pytest.mark.parametrize(
    ("code", "timeouts", "failing_s", "again"),
    [
        (Code.DEADLINE_EXCEEDED, 1, 0.1, True),
        (Code.DEADLINE_EXCEEDED, 2, 90.0, True),
        (Code.DEADLINE_EXCEEDED, 3, 0.1, False),
        (Code.UNAVAILABLE, 0, 59.0, True),
        (Code.UNAVAILABLE, 2, 59.0, True),
        (Code.UNAVAILABLE, 0, 61.0, False),
    ],
)
def test_by_default_three_deadlines_or_a_minute_of_failures_end_a_request(
    code: grpc.StatusCode, timeouts: int, failing_s: float, again: bool
) -> None:
    options = TritonOptions()
    assert options.call_timeout_s >= options.retry.give_up_after_s, "the case in which one deadline took all the time"
    assert options.retry.may_retry(Failed(code), timeouts=timeouts, failing_s=failing_s) is again


@pytest.mark.parametrize(
    ("url", "target", "loopback"),
    [
        ("localhost:8001", "dns:///localhost:8001", True),
        ("127.0.0.1:8001", "dns:///127.0.0.1:8001", True),
        ("[::1]:8001", "dns:///[::1]:8001", True),
        ("grpc://127.3.2.1:8001", "dns:///127.3.2.1:8001", True),
        ("triton.models.svc:8001", "dns:///triton.models.svc:8001", False),
        ("dns:///triton:8001", "dns:///triton:8001", False),
        ("10.0.0.7:8001", "dns:///10.0.0.7:8001", False),
        ("unix:/run/triton.sock", "unix:/run/triton.sock", True),
        ("127.evil.example:8001", "dns:///127.evil.example:8001", False),
    ],
)
def test_addresses_become_targets_and_only_this_host_is_this_host(url: str, target: str, loopback: bool) -> None:
    assert target_of(url) == target
    assert is_loopback(url) is loopback
