"""What a server never takes is reported at once and by its reason; a model that cannot fit, before anything else."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from support.command import manifest
from support.http_server import file_server
from support.small_triton import CONFIG, NAME, small_triton
from videojob.adapters.clock import SystemClock
from videojob.adapters.triton.channel import TritonOptions
from videojob.adapters.triton.client import connect
from videojob.api.loading.load import load_manifests
from videojob.errors import ModelSignatureMismatch, RequestTooLarge, ServerError
from videojob.local.pool import StopRequest
from videojob.local.run import LocalRun
from videojob.local.run_types import JobPlan, RunOptions, RunProgress, SinkConfig
from videojob.worker.steps.inputs import InputResolver

FRAMES = np.zeros((1, 32, 64, 3), np.uint8)
AT_ONCE_S = 10  # far below the minute for which an error that may pass is tried again
SEQUENCE = "sequence_batching { }"
DECOUPLED = "model_transaction_policy { decoupled: true }"


def test_a_request_that_is_larger_than_the_server_takes_is_refused_at_once() -> None:
    with small_triton(most_bytes=4096) as server, closing(connect(server.address, NAME)) as inference:
        began_s = time.monotonic()
        inference.submit(1, FRAMES, None)
        with pytest.raises(RequestTooLarge, match=r"larger than max \(6\d\d\d vs. 4096\)") as caught:
            inference.collect(AT_ONCE_S)
        assert time.monotonic() - began_s < AT_ONCE_S
    assert not caught.value.retryable
    assert inference.open_requests == 0


def test_a_method_that_the_server_lacks_is_not_asked_for_again() -> None:
    with small_triton() as server, closing(connect(server.address, NAME)) as inference:
        inference.submit(1, FRAMES, None)
        with pytest.raises(ServerError, match="is not Triton"):
            inference.collect(AT_ONCE_S)
        assert server.asked.count("ModelInfer") == 1


@pytest.mark.parametrize(("more", "words"), [(SEQUENCE, "sequence model"), (DECOUPLED, "decoupled")])
def test_a_model_that_answers_otherwise_than_once_for_each_frame_is_refused_at_connect(more: str, words: str) -> None:
    with small_triton(more=more) as server, pytest.raises(ModelSignatureMismatch, match=words):
        connect(server.address, NAME)


def test_an_http_port_is_told_at_once() -> None:
    with file_server() as web:
        address = web.url.removeprefix("http://")
        began_s = time.monotonic()
        with pytest.raises(ServerError, match="does not speak gRPC") as caught:
            connect(address, NAME, options=TritonOptions(connect_timeout_s=60))
        assert time.monotonic() - began_s < AT_ONCE_S
    assert (caught.value.retryable, "8001" in caught.value.hint) == (False, True)


class Silent:
    """A `RunObserver` that nobody reads."""

    def stage(self, text: str) -> None: ...

    def planned(self, plan: JobPlan) -> None: ...

    def progress(self, progress: RunProgress) -> None: ...

    def notice(self, text: str) -> None: ...


def no_inputs(_manifests: Path, _cache: Path) -> InputResolver:
    raise AssertionError("the inputs come after the model")


@pytest.mark.parametrize(("more", "words"), [(SEQUENCE, "sequence model"), (DECOUPLED, "decoupled")])
@pytest.mark.parametrize("embedded", [False, True])
def test_a_run_refuses_such_a_model_before_it_looks_at_an_input(
    tmp_path: Path, more: str, words: str, *, embedded: bool
) -> None:
    job = manifest(tmp_path, "no-such.mp4", model={"name": NAME})
    sink = SinkConfig("sqlite", tmp_path / "results.sqlite3")
    with small_triton(more=more) as server:
        options = RunOptions(tmp_path, tmp_path, sink, triton_url=server.address)
        if embedded:
            options = RunOptions(tmp_path, tmp_path, sink, model_repository=repository(tmp_path / "models", more))
        run = LocalRun(load_manifests(job)[0], options, Silent(), StopRequest(), SystemClock(), inputs=no_inputs)
        with pytest.raises(ModelSignatureMismatch, match=words):
            run.run()


def test_a_server_that_is_away_is_not_waited_for_before_the_inputs_are_read(tmp_path: Path) -> None:
    job = manifest(tmp_path, "no-such.mp4", model={"name": NAME})
    options = RunOptions(
        tmp_path, tmp_path, SinkConfig("sqlite", tmp_path / "results.sqlite3"), triton_url="127.0.0.1:9"
    )
    outcome = LocalRun(load_manifests(job)[0], options, Silent(), StopRequest(), SystemClock()).run()
    assert outcome.error is not None
    assert outcome.error.reason == "InputNotFound"


def repository(folder: Path, more: str) -> Path:
    """A model repository with that configuration."""
    (folder / NAME / "1").mkdir(parents=True)
    (folder / NAME / "1" / "model.onnx").write_bytes(b"weights")
    (folder / NAME / "config.pbtxt").write_text(CONFIG + more)
    return folder
