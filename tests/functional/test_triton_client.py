"""TritonInference against the real server: transports, order, retries, and a server that dies, hangs or comes back."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from support.triton import (
    EMULATED_MODEL,
    FRAME_BYTES,
    HEIGHT,
    WIDTH,
    client,
    frames,
    start,
    still_running,
    traces,
    write_emulated,
    write_filter,
)
from videojob.adapters.triton.channel import TritonOptions
from videojob.adapters.triton.client import TritonInference, connect
from videojob.adapters.triton.policy import RetryPolicy
from videojob.errors import (
    InferenceTimeout,
    InvalidModelOutput,
    ModelNotFound,
    ModelSignatureMismatch,
    ServerUnavailable,
)
from videojob.local.triton.server import EmbeddedTriton
from videojob.media.protocol.ring import FileRing
from videojob.ports.inference import InferenceReply

Found = TypeVar("Found")

SLOTS = 32
SHAPE = (HEIGHT, WIDTH, 3)
IMPATIENT = RetryPolicy(give_up_after_s=1.0, timeouts=2, first_delay_s=0.05)


@pytest.fixture
def ring() -> Iterator[FileRing]:
    """A ring full of pixels."""
    made = FileRing(SLOTS, FRAME_BYTES)
    made.view(0, SLOTS, SHAPE)[:] = frames(SLOTS)
    yield made
    made.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedTriton]:
    """A server to be harmed; 50 ms a batch."""
    write_emulated(tmp_path / "repository", changes={'string_value: "20"': 'string_value: "50"'})
    with start(tmp_path / "repository", EMULATED_MODEL, tmp_path) as server:
        yield server


def options(server: EmbeddedTriton, *, retry: RetryPolicy | None = None, call_timeout_s: float = 60.0) -> TritonOptions:
    """For this server, with a patience of its own."""
    return TritonOptions(headers=server.grpc_headers, retry=retry or RetryPolicy(), call_timeout_s=call_timeout_s)


def collect_all(inference: TritonInference) -> dict[int, InferenceReply]:
    """Every open request's reply by its id; each must come within 20 s."""
    found = {}
    while inference.open_requests:
        reply = inference.collect(20)
        assert reply is not None
        found[reply.request_id] = reply
    return found


def first_pixels(reply: InferenceReply) -> list[int]:
    """What the emulated model repeats of each frame: its first byte."""
    return [round(float(score) * 255) for score in reply.outputs["scores"].reshape(-1)]


def sent_pixels(ring: FileRing, first_slot: int, count: int = 1) -> list[int]:
    """The first byte of frames in the ring."""
    return [int(value) for value in ring.view(first_slot, count, SHAPE)[:, 0, 0, 0]]


def test_both_transports_give_the_same_bits(filter_server: EmbeddedTriton, ring: FileRing) -> None:
    with client(filter_server, "filter") as inference:
        for number in range(8):
            inference.submit(number, ring.view(number, 2, SHAPE), None)
        by_grpc = collect_all(inference)
        inference.attach(ring)
        assert inference.transport == "shared-memory"
        for number in range(8):
            inference.submit(number, ring.view(number, 2, SHAPE), number)
        by_memory = collect_all(inference)
    for number in range(8):
        assert by_grpc[number].outputs.keys() == {"mean", "mixed"}
        for name, value in by_grpc[number].outputs.items():
            np.testing.assert_array_equal(by_memory[number].outputs[name], value, strict=True)


def test_only_the_contracts_outputs_come_back(tmp_path: Path) -> None:
    path = write_filter(tmp_path) / "config.pbtxt"
    path.write_text(path.read_text(encoding="utf-8").replace("mean,mixed", "mean"), encoding="utf-8")
    with start(tmp_path, "filter", tmp_path) as server, client(server, "filter") as inference:
        inference.submit(1, frames(1), None)
        reply = inference.collect(20)
    assert reply is not None
    assert reply.outputs.keys() == {"mean"}


def test_a_server_that_takes_no_shared_memory_gets_the_pixels_by_grpc_and_the_log_says_so(
    quick_server: EmbeddedTriton, ring: FileRing, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), client(quick_server, EMULATED_MODEL, TritonOptions()) as inference:
        inference.attach(ring)
        assert inference.transport == "grpc"
        inference.submit(1, ring.view(3, 1, SHAPE), 3)
        reply = inference.collect(20)
    assert "takes no shared memory" in caplog.text
    assert reply is not None
    assert first_pixels(reply) == sent_pixels(ring, 3)


class RingElsewhere(FileRing):
    """A ring on a machine without a place for shared memory."""

    @property
    def path(self) -> Path:
        """Not where POSIX shared memory lies."""
        return Path("/tmp/ring")


def test_a_ring_outside_shared_memory_goes_by_grpc(quick_server: EmbeddedTriton) -> None:
    elsewhere = RingElsewhere(1, FRAME_BYTES)
    try:
        with client(quick_server, EMULATED_MODEL) as inference:
            inference.attach(elsewhere)
            assert inference.transport == "grpc"
    finally:
        elsewhere.close()


def test_replies_come_in_any_order_each_with_its_own_answer(quick_server: EmbeddedTriton, ring: FileRing) -> None:
    sent = {number: (number * 5) % (SLOTS - 4) for number in range(200)}
    with client(quick_server, EMULATED_MODEL) as inference:
        inference.attach(ring)
        for number, slot in sent.items():
            inference.submit(number, ring.view(slot, 1 + number % 4, SHAPE), slot)
        found = collect_all(inference)
    assert found.keys() == sent.keys()
    for number, reply in found.items():
        assert first_pixels(reply) == sent_pixels(ring, sent[number], 1 + number % 4)
        assert reply.retries == 0


def test_an_id_that_is_open_cannot_be_used_again(quick_server: EmbeddedTriton) -> None:
    with client(quick_server, EMULATED_MODEL) as inference:
        inference.submit(1, frames(1), None)
        with pytest.raises(ValueError, match="request 1 is open"):
            inference.submit(1, frames(1), None)


def test_collect_returns_nothing_when_no_reply_comes_in_time(quick_server: EmbeddedTriton) -> None:
    with client(quick_server, EMULATED_MODEL) as inference:
        assert inference.collect(0) is None
        assert inference.collect(0.01) is None


def test_abandoned_requests_are_never_seen_again(quick_server: EmbeddedTriton, ring: FileRing) -> None:
    with client(quick_server, EMULATED_MODEL) as inference:
        inference.attach(ring)
        for number in range(20):
            inference.submit(number, ring.view(number, 1, SHAPE), number)
        inference.abandon()
        assert inference.open_requests == 0
        inference.submit(100, ring.view(7, 1, SHAPE), 7)
        found = collect_all(inference)
    assert found.keys() == {100}


def regions(server: EmbeddedTriton) -> list[str]:
    """The shared memory that the server has mapped for clients."""
    headers = {key.removeprefix("triton-grpc-protocol-"): value for key, value in server.grpc_headers}
    connection = http.client.HTTPConnection(f"127.0.0.1:{server.ports.http}", timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/v2/systemsharedmemory/status", headers=headers)
        return [str(entry["name"]) for entry in json.loads(connection.getresponse().read())]


def test_a_ring_is_unmapped_at_the_end_although_requests_were_abandoned(
    own_server: EmbeddedTriton, ring: FileRing
) -> None:
    with client(own_server, EMULATED_MODEL) as inference:
        inference.attach(ring)
        for number in range(8):
            inference.submit(number, ring.view(number, 1, SHAPE), number)
        inference.abandon()
        assert len(regions(own_server)) == 1
    assert regions(own_server) == []


def test_a_ring_stays_mapped_where_the_server_may_still_read_it(own_server: EmbeddedTriton, ring: FileRing) -> None:
    server = traces(own_server.supervisor_pid).processes[1]
    with client(own_server, EMULATED_MODEL) as inference:
        inference.attach(ring)
        server.send_signal(signal.SIGSTOP)
        inference.submit(1, ring.view(1, 1, SHAPE), 1)
    server.send_signal(signal.SIGCONT)
    assert len(regions(own_server)) == 1


def test_closing_with_open_requests_harms_neither_server_nor_other_clients(quick_server: EmbeddedTriton) -> None:
    with client(quick_server, EMULATED_MODEL) as other:
        for _ in range(5):
            ring = FileRing(SLOTS, FRAME_BYTES)
            with client(quick_server, EMULATED_MODEL) as inference:
                inference.attach(ring)
                for number in range(SLOTS):
                    inference.submit(number, ring.view(number, 1, SHAPE), number)
            ring.close()
            other.submit(1, frames(1), None)
            assert other.collect(20) is not None
    assert quick_server.alive()


def test_another_ring_takes_the_place_of_the_first_while_requests_are_open(
    quick_server: EmbeddedTriton, ring: FileRing
) -> None:
    second = FileRing(4, FRAME_BYTES)
    second.view(0, 4, SHAPE)[:] = 200
    with client(quick_server, EMULATED_MODEL) as inference:
        inference.attach(ring)
        for number in range(16):
            inference.submit(number, ring.view(number, 1, SHAPE), number)
        inference.attach(second)
        inference.submit(100, second.view(1, 2, SHAPE), 1)
        found = collect_all(inference)
    second.close()
    assert len(found) == 17
    assert first_pixels(found[100]) == [200, 200]


def settled(read: Callable[[], Found], enough: Callable[[Found], bool]) -> Found:
    """Counters as soon as they are up to date: the server counts a request after it has answered it."""
    give_up_s = time.monotonic() + 10
    found = read()
    while not enough(found) and time.monotonic() < give_up_s:
        found = read()
    return found


def test_an_address_with_several_servers_gives_each_its_share(
    quick_server: EmbeddedTriton, own_server: EmbeddedTriton
) -> None:
    servers = (quick_server, own_server)
    both = "ipv4:" + ",".join(server.grpc_address for server in servers)
    with contextlib.ExitStack() as stack:
        alone = [stack.enter_context(client(server, EMULATED_MODEL)) for server in servers]
        before = [inference.statistics().requests for inference in alone]
        shared = connect(both, EMULATED_MODEL)
        stack.callback(shared.close)
        # One after another: the channel needs a moment to connect to both.
        for number in range(40):
            shared.submit(number, frames(1), None)
            collect_all(shared)
        shares = settled(
            lambda: [inference.statistics().requests - was for inference, was in zip(alone, before, strict=True)],
            lambda counts: sum(counts) >= 40,
        )
    assert sum(shares) == 40
    assert min(shares) >= 10


def test_statistics_count_frames_batches_and_requests(quick_server: EmbeddedTriton) -> None:
    with client(quick_server, EMULATED_MODEL) as inference:
        before = inference.statistics()
        inference.submit(1, frames(3), None)
        inference.submit(2, frames(5), None)
        collect_all(inference)
        after = settled(inference.statistics, lambda now: now.requests >= before.requests + 2)
    assert after.inferences - before.inferences == 8
    assert after.requests - before.requests == 2
    assert 1 <= after.executions - before.executions <= 2
    assert after.compute_infer_s > before.compute_infer_s


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.zeros((1, HEIGHT, WIDTH, 4), np.uint8), "shape"),
        (np.zeros((17, HEIGHT, WIDTH, 3), np.uint8), "batch"),
    ],
    ids=["four channels", "more than the largest batch"],
)
def test_frames_that_do_not_fit_the_model_are_refused_at_once(
    batch: NDArray[np.uint8], words: str, quick_server: EmbeddedTriton
) -> None:
    with client(quick_server, EMULATED_MODEL) as inference:
        inference.submit(1, batch, None)
        with pytest.raises(ModelSignatureMismatch, match=words):
            inference.collect(20)
        assert inference.open_requests == 0


def test_an_unknown_model_is_not_found(quick_server: EmbeddedTriton) -> None:
    with pytest.raises(ModelNotFound, match="nonesuch"):
        connect(quick_server.grpc_address, "nonesuch", options=options(quick_server))


def test_no_server_at_the_address_is_said_after_the_time_allowed() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(ServerUnavailable, match=f"127.0.0.1:{port}"):
            connect(f"127.0.0.1:{port}", "any", options=TritonOptions(connect_timeout_s=0.3, call_timeout_s=1.0))


HOLLOW = """
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.left = {hollow}

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if self.left > 0:
            self.left -= 1
            return pb_utils.InferenceResponse(output_tensors=[])
        count = len(pb_utils.get_input_tensor_by_name(request, "frames").as_numpy())
        names = {{"boxes": (count, 1, 4), "scores": (count, 1, 1)}}
        tensors = [pb_utils.Tensor(name, np.zeros(shape, np.float32)) for name, shape in names.items()]
        return pb_utils.InferenceResponse(output_tensors=tensors)
"""


@pytest.mark.parametrize(("hollow", "answered"), [(2, True), (1000, False)])
def test_an_answer_without_outputs_is_asked_for_again_and_refused_in_the_end(
    hollow: int, answered: bool, tmp_path: Path
) -> None:
    # A Python stub that dies under a request leaves such an answer behind.
    one = {"count: 2": "count: 1"}
    (write_emulated(tmp_path / "repository", changes=one) / "1" / "model.py").write_text(HOLLOW.format(hollow=hollow))
    with (
        start(tmp_path / "repository", EMULATED_MODEL, tmp_path) as server,
        client(server, EMULATED_MODEL, options(server, retry=RetryPolicy(first_delay_s=0.01))) as inference,
    ):
        inference.submit(1, frames(3), None)
        if answered:
            assert collect_all(inference)[1].retries == hollow
        else:
            with pytest.raises(InvalidModelOutput, match="came as nothing"):
                collect_all(inference)


def test_a_killed_server_ends_open_requests_with_an_error_in_bounded_time(
    own_server: EmbeddedTriton, ring: FileRing
) -> None:
    with client(own_server, EMULATED_MODEL, options(own_server, retry=IMPATIENT)) as inference:
        inference.attach(ring)
        for number in range(8):
            inference.submit(number, ring.view(number, 1, SHAPE), number)
        traces(own_server.supervisor_pid).processes[1].kill()
        with pytest.raises(ServerUnavailable) as caught:
            collect_all(inference)
    assert caught.value.retryable
    assert own_server.grpc_address in caught.value.message


def test_another_server_at_the_address_gets_the_requests_again_by_grpc(
    own_server: EmbeddedTriton, ring: FileRing, tmp_path: Path
) -> None:
    with client(own_server, EMULATED_MODEL) as inference:
        inference.attach(ring)
        for number in range(8):
            inference.submit(number, ring.view(number, 1, SHAPE), number)
        own_server.stop()
        # Another run's server at the same address: it does not know this run's secret, so it refuses the ring.
        with start(tmp_path / "repository", EMULATED_MODEL, tmp_path / "second", ports=own_server.ports):
            found = collect_all(inference)
            assert inference.transport == "grpc"
    assert sorted(found) == list(range(8))
    for number, reply in found.items():
        assert first_pixels(reply) == sent_pixels(ring, number)
    assert any(reply.retries for reply in found.values())


def test_a_server_that_hangs_is_a_timeout_after_the_tries_allowed(own_server: EmbeddedTriton) -> None:
    hurried = options(own_server, call_timeout_s=0.3, retry=replace(IMPATIENT, give_up_after_s=0.3))
    server = traces(own_server.supervisor_pid).processes[1]
    with client(own_server, EMULATED_MODEL, hurried) as inference:
        server.send_signal(signal.SIGSTOP)
        try:
            inference.submit(1, frames(1), None)
            with pytest.raises(InferenceTimeout, match="after 2 attempts"):
                inference.collect(20)
        finally:
            server.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("victim", ["tritonserver", "triton_python_backend_stub"])
def test_an_embedded_server_that_dies_comes_back_and_gets_requests_and_ring_again(
    victim: str, ring: FileRing, tmp_path: Path
) -> None:
    write_emulated(tmp_path / "repository", changes={'string_value: "20"': 'string_value: "50"'})
    with start(tmp_path / "repository", EMULATED_MODEL, tmp_path, restarts=2) as server:
        with client(server, EMULATED_MODEL) as inference:
            inference.attach(ring)
            for death in range(2):
                before = traces(server.supervisor_pid)
                for number in range(8):
                    inference.submit(number, ring.view(number, 1, SHAPE), number)
                next(process for process in before.processes if process.name() == victim).kill()
                found = collect_all(inference)
                assert sorted(found) == list(range(8)), f"after death {death}"
                for number, reply in found.items():
                    assert first_pixels(reply) == sent_pixels(ring, number)
                assert inference.transport == "shared-memory"
                assert still_running(before.processes[1:], 0) == [], "nothing of the dead server is left"
        assert server.log_path.read_text(encoding="utf-8").count("; restarted, ") == 2
        last = traces(server.supervisor_pid)
    assert last.left(0) == []


def test_a_full_queue_is_waited_for_and_holds_no_memory(ring: FileRing, tmp_path: Path) -> None:
    write_emulated(
        tmp_path / "repository",
        changes={"dynamic_batching { }": "dynamic_batching { default_queue_policy { max_queue_size: 2 } }"},
    )
    with (
        start(tmp_path / "repository", EMULATED_MODEL, tmp_path) as server,
        client(server, EMULATED_MODEL) as inference,
    ):
        inference.attach(ring)
        for number in range(24):
            inference.submit(number, ring.view(number, 1, SHAPE), number)
        found = collect_all(inference)
        server_has = regions(server)
        inference.close()
        assert (len(server_has), regions(server)) == (1, [])
    assert len(found) == 24
    assert any(reply.retries for reply in found.values())
    assert any(reply.retries for reply in found.values())
