"""The embedded Triton: what it serves, how it fails, and that it never stays behind."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
import pytest
from numpy.typing import NDArray

from support.triton import CACHE, Traces, client, filter_graph, frames, start, still_running, traces, write_filter
from videojob.errors import ModelLoadFailed, ModelNotFound, ServerError, ServerStartFailed, VideoJobError
from videojob.local.triton.server import EmbeddedTriton, Ports

PARENT = """
import sys, signal
from pathlib import Path
from videojob.local.triton.server import EmbeddedTriton
repository, folder, cache = map(Path, sys.argv[1:])
server = EmbeddedTriton.start(
    repository, ["filter"], cache_folder=cache, log_path=folder / "triton.log", cpus=2
)
print(server.supervisor_pid, flush=True)
signal.pause()
"""


@pytest.fixture
def parent(filter_repository: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Traces, int]]:
    """A process with a running server; (the process, what the server has on this machine, the supervisor's pid)."""
    command = [sys.executable, "-c", PARENT, str(filter_repository), str(tmp_path), str(CACHE)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        supervisor_pid = int(process.stdout.readline())
        yield process, traces(supervisor_pid), supervisor_pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def reference(batch: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(filter_graph().SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(("mean", "mixed"), session.run(["mean", "mixed"], {"frames": batch}), strict=True))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_a_batch_of_any_size_gives_the_bits_that_onnx_runtime_gives_frame_by_frame(
    count: int, filter_server: EmbeddedTriton
) -> None:
    batch = frames(count)
    with client(filter_server, "filter") as inference:
        inference.submit(1, batch, None)
        reply = inference.collect(20)
    assert reply is not None
    for position in range(count):
        for name, value in reference(batch[position : position + 1]).items():
            np.testing.assert_array_equal(reply.outputs[name][position : position + 1], value, strict=True)


def test_the_server_describes_the_model_as_its_repository_does_but_for_this_machines_sizes(
    filter_server: EmbeddedTriton,
) -> None:
    with client(filter_server, "filter") as inference:
        contract = inference.contract
    assert contract.outputs == ("mean", "mixed")
    assert contract.pixels.long_side == 64
    assert contract.instances == 2
    assert 1 <= contract.max_batch <= 16


def test_a_model_without_a_batch_axis_takes_one_frame(tmp_path: Path) -> None:
    write_filter(tmp_path, max_batch=0)
    batch = frames(1)
    with start(tmp_path, "filter", tmp_path) as server, client(server, "filter") as inference:
        inference.submit(1, batch, None)
        reply = inference.collect(20)
    assert reply is not None
    for name, value in reference(batch).items():
        np.testing.assert_array_equal(reply.outputs[name], value, strict=True)


def test_a_request_that_the_graph_refuses_fails_alone_with_the_runtimes_words(tmp_path: Path) -> None:
    write_filter(tmp_path, weights=filter_graph(height=32).SerializeToString())
    with start(tmp_path, "filter", tmp_path) as server, client(server, "filter") as inference:
        for number, height in enumerate((32, 16, 32)):
            inference.submit(number, frames(1, height=height), None)
        answered, refused = set[int](), []
        while inference.open_requests:
            try:
                reply = inference.collect(20)
            except ServerError as error:
                refused.append(error.message)
            else:
                assert reply is not None
                answered.add(reply.request_id)
    assert answered == {0, 2}
    assert len(refused) == 1
    assert "ONNX Runtime: " in refused[0]
    assert "Expected: 32" in refused[0]


def test_it_listens_on_the_loopback_interface_only(filter_server: EmbeddedTriton) -> None:
    server = psutil.Process(filter_server.supervisor_pid).children()[0]
    listening = {
        address.laddr for address in server.net_connections(kind="tcp") if address.status == psutil.CONN_LISTEN
    }
    ports = filter_server.ports
    # gRPC listens on the same address in its IPv6 spelling.
    assert {(ip.removeprefix("::ffff:"), port) for ip, port in listening} == {
        ("127.0.0.1", port) for port in (ports.grpc, ports.http, ports.metrics)
    }


@pytest.mark.parametrize(
    "path",
    ["/v2/repository/index", "/v2/repository/models/filter/unload", "/v2/systemsharedmemory/region/x/register"],
)
def test_calls_that_change_the_server_need_the_runs_secret(path: str, filter_server: EmbeddedTriton) -> None:
    connection = http.client.HTTPConnection(f"127.0.0.1:{filter_server.ports.http}", timeout=5)
    connection.request("POST", path)
    answer = connection.getresponse()
    words = answer.read().decode()
    connection.close()
    assert answer.status == 403
    assert "restricted" in words


def test_the_end_of_the_block_leaves_no_process_and_no_file(filter_repository: Path, tmp_path: Path) -> None:
    with start(filter_repository, "filter", tmp_path) as server:
        before = traces(server.supervisor_pid)
    assert before.left(0) == []
    assert not server.alive()


def test_kill_9_of_the_parent_leaves_no_process_and_no_file(
    parent: tuple[subprocess.Popen[str], Traces, int],
) -> None:
    process, before, _ = parent
    process.kill()
    process.wait()
    assert before.left() == []


def test_a_child_that_holds_the_parents_pipe_does_not_keep_the_server_alive(
    filter_repository: Path, tmp_path: Path
) -> None:
    script = PARENT.replace(
        "signal.pause()", "import os, time\nif os.fork() == 0:\n    time.sleep(600)\nsignal.pause()"
    )
    command = [sys.executable, "-c", script, str(filter_repository), str(tmp_path), str(CACHE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        before = traces(int(process.stdout.readline()))
        forked = [child for child in psutil.Process(process.pid).children() if child not in before.processes]
        process.kill()
        process.wait()
        left = before.left()
        for child in forked:
            child.kill()
    assert left == []


def test_sigterm_to_the_supervisor_is_an_orderly_end(parent: tuple[subprocess.Popen[str], Traces, int]) -> None:
    _, before, supervisor_pid = parent
    psutil.Process(supervisor_pid).send_signal(signal.SIGTERM)
    assert before.left() == []


def test_kill_9_of_the_supervisor_ends_the_server_and_the_next_start_removes_its_files(
    parent: tuple[subprocess.Popen[str], Traces, int], filter_repository: Path, tmp_path: Path
) -> None:
    process, before, supervisor_pid = parent
    psutil.Process(supervisor_pid).kill()
    assert still_running(before.processes) == []
    process.kill()
    process.wait()
    start(filter_repository, "filter", tmp_path).stop()
    assert before.left() == []


def test_a_server_that_is_killed_is_known_to_be_gone(filter_repository: Path, tmp_path: Path) -> None:
    with start(filter_repository, "filter", tmp_path) as server:
        before = traces(server.supervisor_pid)
        assert server.alive()
        before.processes[1].kill()
        assert before.left() == []
        assert not server.alive()


def load_error(repository: Path, model: str, folder: Path) -> VideoJobError:
    before = psutil.Process().children()
    with pytest.raises(VideoJobError) as caught:
        start(repository, model, folder).stop()
    assert psutil.Process().children() == before
    return caught.value


def test_weights_that_are_no_onnx_fail_with_the_runtimes_own_words(tmp_path: Path) -> None:
    write_filter(tmp_path, weights=b"not a model")
    error = load_error(tmp_path, "filter", tmp_path)
    assert isinstance(error, ModelLoadFailed)
    assert "Protobuf parsing failed" in error.message
    assert error.uri == "filter"


def test_an_unknown_model_is_named_with_those_there_are(filter_repository: Path, tmp_path: Path) -> None:
    error = load_error(filter_repository, "nonesuch", tmp_path)
    assert isinstance(error, ModelNotFound)
    assert "filter" in error.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('backend: "onnxruntime"', 'backend: "tensorrt"', "not backend 'tensorrt'"),
        ("max_batch_size: 16", "max_batch_size: sixteen", "config"),
        ('name: "filter"', 'name: "other"', "other"),
        ('backend: "onnxruntime"', 'backend: "onnxruntime" default_model_filename: "best.onnx"', "best.onnx"),
    ],
)
def test_a_folder_that_cannot_be_served_says_why(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = write_filter(tmp_path) / "config.pbtxt"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    error = load_error(tmp_path, "filter", tmp_path)
    assert isinstance(error, ModelLoadFailed)
    assert words in str(error)


def test_a_server_that_is_not_ready_in_time_is_ended_and_shows_its_log(filter_repository: Path, tmp_path: Path) -> None:
    before = psutil.Process().children()
    with pytest.raises(ServerStartFailed, match="not ready after 0 s"):
        EmbeddedTriton.start(
            filter_repository,
            ["filter"],
            cache_folder=CACHE,
            log_path=tmp_path / "triton.log",
            cpus=1,
            ready_timeout_s=0.0,
        )
    assert psutil.Process().children() == before


def test_a_fixed_port_that_is_taken_is_said(filter_repository: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartFailed, match="ports are taken"):
            start(filter_repository, "filter", tmp_path, ports=Ports(grpc=port, http=port + 1, metrics=port + 2))
