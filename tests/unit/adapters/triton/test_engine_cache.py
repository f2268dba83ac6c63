"""Engines on a shared volume: what is there is whole, one replica builds, and the others wait for it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fakes import FakeClock
from videojob.adapters.triton.engine_cache import BUILDING_NAME, SET_NAME, STALE_S, EngineCache
from videojob.errors import SetupError
from videojob.worker.pods.engines import MOST_WAIT_S, Engines


def pod(tmp_path: Path, name: str) -> EngineCache:
    return EngineCache(tmp_path / "volume" / "set", tmp_path / name / "cache", name)


def built(cache: EngineCache, **files: str) -> EngineCache:
    cache.local.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (cache.local / name).write_text(content)
    return cache


def content(cache: EngineCache) -> dict[str, str]:
    return {path.name: path.read_text() for path in cache.local.iterdir()}


def age(path: Path, seconds: float) -> None:
    then_s = path.stat().st_mtime - seconds
    os.utime(path, (then_s, then_s))


def test_what_one_pod_publishes_another_one_takes(tmp_path: Path) -> None:
    assert built(pod(tmp_path, "a"), engine="e1", timings="t1").publish() == 2
    other = pod(tmp_path, "b")
    assert other.take() == 2
    assert content(other) == {"engine": "e1", "timings": "t1"}
    assert {path.name for path in other.finished.iterdir()} == {"engine", "timings"}
    assert other.publish() == 0, "nothing is new"


def test_a_later_pod_adds_what_it_built_and_loses_nothing(tmp_path: Path) -> None:
    built(pod(tmp_path, "a"), engine="e1", timings="t1").publish()
    second = pod(tmp_path, "b")
    second.take()
    assert built(second, larger="e2", timings="t2").publish() == 2
    third = pod(tmp_path, "c")
    third.take()
    assert content(third) == {"engine": "e1", "larger": "e2", "timings": "t2"}


@pytest.mark.parametrize("damage", [lambda path: path.write_text("torn"), lambda path: path.unlink()])
def test_an_engine_that_is_not_as_it_was_published_fails_no_server(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    first = built(pod(tmp_path, "a"), engine="e1", timings="t1")
    first.publish()
    (stored,) = first.shared.glob("*-timings")
    damage(stored)
    other = pod(tmp_path, "b")
    assert other.take() == 0
    assert content(other) == {}
    assert list(other.finished.iterdir()) == []
    assert built(other, engine="e1", timings="t3").publish() == 2, "it is built and published again"
    third = pod(tmp_path, "c")
    assert third.take() == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 3}', json.dumps({"files": {"../up": "00"}})])
def test_a_set_that_cannot_be_read_is_no_set(tmp_path: Path, text: str) -> None:
    cache = pod(tmp_path, "a")
    cache.shared.mkdir(parents=True)
    (cache.shared / SET_NAME).write_text(text)
    assert cache.take() == 0


def test_a_publisher_that_was_killed_leaves_nothing_that_counts_and_nothing_for_ever(tmp_path: Path) -> None:
    cache = built(pod(tmp_path, "a"), engine="e1")
    cache.shared.mkdir(parents=True)
    part, orphan = cache.shared / ".x-engine.part", cache.shared / "0123-engine"
    for path in (part, orphan):
        path.write_text("half")
        age(path, STALE_S + 1)
    assert pod(tmp_path, "b").take() == 0
    cache.publish()
    assert not part.exists()
    assert not orphan.exists()


def test_one_builds_until_it_gives_up_its_claim_or_is_gone(tmp_path: Path) -> None:
    first, second = pod(tmp_path, "a"), pod(tmp_path, "b")
    assert first.claim()
    assert first.claim(), "a container that starts again still has it"
    assert not second.claim()
    second.release()
    assert not second.claim(), "a claim is its holder's to give up"
    first.release()
    assert second.claim()
    building = second.shared / BUILDING_NAME
    age(building, STALE_S - 10)
    second.mark()
    age(building, STALE_S - 10)
    assert not first.claim(), "it was marked meanwhile"
    age(building, STALE_S)
    assert first.claim(), "nobody marks it any more"


def test_a_pod_waits_while_another_one_builds_and_takes_what_comes(tmp_path: Path) -> None:
    builder, waiting, clock = built(pod(tmp_path, "a"), engine="e1"), pod(tmp_path, "b"), FakeClock()
    builder.claim()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            Engines(builder, clock, lambda _: None, lambda: True).share()

    Engines(waiting, clock, sleep).bring()
    assert content(waiting) == {"engine": "e1"}
    assert len(pauses) == 3
    assert not (builder.shared / BUILDING_NAME).exists()


def test_a_pod_does_not_wait_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    builder, waiting, clock = pod(tmp_path, "a"), pod(tmp_path, "b"), FakeClock()
    builder.claim()

    def sleep(seconds: float) -> None:
        builder.mark()
        clock.seconds += seconds

    with caplog.at_level(logging.WARNING):
        Engines(waiting, clock, sleep).bring()
    assert MOST_WAIT_S <= clock.seconds < MOST_WAIT_S + 10
    assert "builds its own engines" in caplog.text


def test_engines_are_published_when_the_server_is_ready_and_not_before(tmp_path: Path) -> None:
    cache, answers = built(pod(tmp_path, "a"), engine="half writ"), [False, False, True]
    cache.claim()

    def is_ready() -> bool:
        if answers[0]:
            built(cache, engine="whole")
        return answers.pop(0)

    Engines(cache, FakeClock(), lambda _: None, is_ready).share()
    other = pod(tmp_path, "b")
    other.take()
    assert content(other) == {"engine": "whole"}


def test_a_volume_that_cannot_be_written_is_told_with_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "volume").write_text("a file, no folder")
    with pytest.raises(SetupError, match="the volume for engines cannot be used") as found:
        Engines(pod(tmp_path, "a"), FakeClock(), lambda _: None).bring()
    assert found.value.retryable
