"""A server of the cluster, from its model's source to answers: the real one, with the pod's own command line."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from support.triton import frames, write_filter
from support.triton_pods import Names, Pod, free_ports, triton_pod
from videojob.adapters.triton.channel import TritonOptions
from videojob.adapters.triton.client import connect
from videojob.adapters.triton.model_repository import model_digest
from videojob.kube.read.triton_log import triton_words
from videojob.kube.render.triton_args import GRPC_PORT
from videojob.worker.pods.sync_model import ModelRequest, copy_folder, sync_model

OPTIONS = TritonOptions(shared_memory=False)


def synced(source: Path, target: Path, *, instances: int = 1) -> Path:
    """What the init container leaves."""
    wanted = ModelRequest(source.name, 1, model_digest(source), "python", "cpu", instances, "/engines")
    sync_model(wanted, copy_folder(source), target)
    return target


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the model `filter`, as a pod has it."""
    return synced(write_filter(tmp_path / "source"), tmp_path / "models")


def test_a_pod_serves_what_was_synced_and_locks_what_nobody_needs(repository: Path, tmp_path: Path) -> None:
    with triton_pod(repository, "filter", tmp_path) as pod:
        pod.wait_ready()
        with pytest.raises(OSError, match="403"):
            pod.http.model_states()
        inference = connect(pod.grpc_address, "filter", "1", options=OPTIONS)
        try:
            assert inference.statistics().executions == 1, "it was warmed up before it was ready"
            pixels = frames(2)
            inference.submit(7, pixels, None)
            reply = inference.collect(20.0)
        finally:
            inference.close()
        assert reply is not None
        assert reply.outputs["mean"].shape == (2, 4)
        pod.process.terminate()
        assert pod.process.wait(30) == 0
        assert "error:" not in pod.log.read_text(encoding="utf-8")


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return apply


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "bad weights": (lambda folder: (folder / "1" / "model.onnx").write_bytes(b"none"), "Protobuf parsing failed"),
    "no weights": (lambda folder: (folder / "1" / "model.onnx").unlink(), "File doesn't exist"),
    "wrong input": (change("config.pbtxt", '"frames"', '"pixels"'), "has the input 'pixels', the graph has frames"),
    "wrong output": (change("config.pbtxt", '"mixed"', '"mixt"'), "has the output 'mixt', the graph has mixed, mean"),
    "wrong type": (change("config.pbtxt", "TYPE_UINT8", "TYPE_FP32"), "TYPE_FP32, the graph has tensor"),
    "bad config": (change("config.pbtxt", "max_batch_size: 4", "max_batch_size: x"), "Expected integer, got: x"),
    "no backend": (change("config.pbtxt", '"python"', '"onnxruntime"'), "unable to find backend library"),
    "no memory": (
        change("1/model.py", "self._engine = ", "import numpy; numpy.ones(1 << 44); self._engine = "),
        "MemoryError: Unable to allocate 128. TiB",
    ),
    "crash": (change("1/model.py", "self._engine = ", "import os; os.abort(); self._engine = "), "is not healthy"),
    "no version": (lambda folder: (folder / "1").rename(folder / "one"), "at least one version must be available"),
    "no model": (shutil.rmtree, "model not found in any model repository"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_model_that_does_not_load_ends_the_server_with_the_reason(
    fault: str, repository: Path, tmp_path: Path
) -> None:
    breaks, words = BROKEN[fault]
    breaks(repository / "filter")
    with triton_pod(repository, "filter", tmp_path) as pod:
        told = triton_words(pod.last_words())
    assert words in told
    assert "\n" not in told
    assert "At:" not in told
    assert not told.startswith(("error", "Internal", "20"))


PODS = ("127.0.0.21", "127.0.0.22")
_AGE_S = 2
_LIMIT_S = 40.0


class Client:
    """Asks for frames by the name of a Service, and counts."""

    def __init__(self, target: str, options: TritonOptions = OPTIONS) -> None:
        self.inference = connect(target, "filter", "1", options=options)
        self.retries = 0
        self._sent = 0
        self._pixels = frames(1)

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._sent += 1
            self.inference.submit(self._sent, self._pixels, None)

    def collect(self, count: int) -> None:
        """Every request is answered; the answers are right."""
        for _ in range(count):
            reply = self.inference.collect(_LIMIT_S)
            assert reply is not None
            assert np.isfinite(reply.outputs["mean"]).all()
            self.retries += reply.retries

    def ask(self, count: int) -> None:
        self.submit(count)
        self.collect(count)


def answered(pod: Pod) -> int:
    """Frames that one pod has answered, its warm-up among them."""
    with contextlib.closing(connect(pod.grpc_address, "filter", "1", options=OPTIONS)) as inference:
        return inference.statistics().inferences


def test_a_new_replica_gets_its_share_and_a_killed_one_costs_no_request(repository: Path, tmp_path: Path) -> None:
    ports = free_ports(PODS[0])
    age = [f"--grpc-max-connection-age={_AGE_S * 1000}"]
    start = partial(triton_pod, repository, "filter", tmp_path, ports=ports, arguments=age)
    with Names(PODS[:1]) as names, start(host=PODS[0]) as old:
        old.wait_ready()
        client = Client(names.target(ports[GRPC_PORT]))
        with contextlib.closing(client.inference), start(host=PODS[1]) as new:
            client.ask(20)
            new.wait_ready()
            began_s, names.addresses = time.monotonic(), PODS
            while answered(new) <= 1:
                client.ask(4)
                assert time.monotonic() < began_s + _LIMIT_S, "the new replica was not noticed"
            assert time.monotonic() - began_s < _AGE_S + 10, "gRPC asks for a name every 30 s at most, unless told"
            before = [answered(pod) for pod in (old, new)]
            client.ask(40)
            gained = [answered(pod) - count for pod, count in zip((old, new), before, strict=True)]
            assert min(gained) >= 10, gained
            assert client.retries == 0, "a connection that ends of age costs no request"
            client.submit(10)
            new.process.kill()
            client.collect(10)
            client.ask(20)


def test_a_replica_that_is_drained_answers_what_it_has_and_costs_no_request(repository: Path, tmp_path: Path) -> None:
    ports = free_ports(PODS[0])
    start = partial(triton_pod, repository, "filter", tmp_path, ports=ports)
    with Names(PODS) as names, start(host=PODS[0]) as stays, start(host=PODS[1]) as goes:
        for pod in (stays, goes):
            pod.wait_ready()
        client = Client(names.target(ports[GRPC_PORT]))
        with contextlib.closing(client.inference):
            client.ask(20)
            assert answered(goes) > 1
            client.submit(40)
            names.addresses = PODS[:1]
            goes.process.terminate()
            client.collect(40)
            client.ask(20)
            assert goes.process.wait(30) == 0


def test_a_server_that_comes_back_elsewhere_is_found_while_requests_wait(repository: Path, tmp_path: Path) -> None:
    ports = free_ports(PODS[0])
    start = partial(triton_pod, repository, "filter", tmp_path, ports=ports)
    # gRPC asks for a name without an address after 1, 3, 6, 10, 17, 28, 45, 70 s, ...
    options = replace(OPTIONS, renew_after_s=3.0)
    with Names(PODS[:1]) as names:
        with start(host=PODS[0]) as old:
            old.wait_ready()
            client = Client(names.target(ports[GRPC_PORT]), options)
            client.ask(4)
            names.addresses = ()
        with contextlib.closing(client.inference), start(host=PODS[1]) as new:
            client.submit(8)
            away_s = time.monotonic()
            while time.monotonic() < away_s + 20:
                assert client.inference.collect(0.5) is None
            new.wait_ready()
            back_s, names.addresses = time.monotonic(), PODS[1:]
            client.collect(8)
            assert time.monotonic() - back_s < 7
