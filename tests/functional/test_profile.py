"""`videojob profile` on the emulated accelerator, whose ceiling is known exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.server import emulated_device

from support.command import videojob
from support.samples import sample_path
from support.triton import EMULATED_MODEL, client, start, write_emulated
from videojob.adapters.triton.client import TritonInference
from videojob.local.profile import decode_rate, profile_server

CEILING = emulated_device().ceiling_per_s


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonInference]:
    folder = tmp_path_factory.mktemp("profile")
    write_emulated(folder / "models", changes={'"640"': '"64"'})
    with start(folder / "models", EMULATED_MODEL, folder) as server, client(server, EMULATED_MODEL) as inference:
        yield inference


@pytest.mark.parametrize("load", [1.0, 0.5, 0.1])
def test_the_ceiling_is_found_however_busy_the_server_is(emulated: TritonInference, load: float) -> None:
    found = profile_server(emulated, seconds=5.0, load=load)
    assert found.server.frames_per_s == pytest.approx(CEILING, rel=0.03)
    assert found.server.best_batch == emulated.contract.max_batch
    assert found.server.side_by_side == pytest.approx(1.0, abs=0.06)
    if load < 0.2:
        assert found.server.reached_per_s < 0.6 * CEILING


def test_a_video_is_decoded_for_it(emulated: TritonInference) -> None:
    assert decode_rate(sample_path("bikes.mp4"), emulated.contract, seconds=2.0) > 20


def test_the_command_names_limit_batch_speed_and_price(tmp_path: Path) -> None:
    write_emulated(tmp_path / "models", changes={'"640"': '"64"'})
    done = videojob(
        "profile",
        EMULATED_MODEL,
        "--repository",
        str(tmp_path / "models"),
        "--instance-type",
        "g4dn.xlarge",
        "--seconds",
        "3",
        "--json",
    )
    assert done.code == 0, done.err
    found = done.document
    assert found["bottleneck"] == "model"
    assert found["bestBatch"] == 16
    assert found["framesPerSecond"] == pytest.approx(CEILING, rel=0.03)
    assert float(found["usdPerMillionFrames"]) == pytest.approx(0.526 / 3600 / CEILING * 1e6, rel=0.03)


def test_a_type_without_price_is_an_error_before_anything_is_measured() -> None:
    done = videojob("profile", EMULATED_MODEL, "--instance-type", "g9.huge")
    assert done.code == 2
    assert "no price is known of g9.huge in us-east-1" in done.err
