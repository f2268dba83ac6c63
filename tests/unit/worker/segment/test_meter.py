"""What the server did between two readings of its counters."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from support.fakes import FakeClock, FakeInference
from videojob.errors import ServerUnavailable
from videojob.ports.inference import ServerStatistics
from videojob.worker.segment.meter import ServerMeter


@dataclass
class _Server(FakeInference):
    """Tells these counters one after the other; None stands for no answer."""

    counters: list[ServerStatistics | None] = field(default_factory=list)

    def statistics(self, timeout_s: float | None = None) -> ServerStatistics:
        found = self.counters.pop(0)
        if found is None:
            raise ServerUnavailable("gone")
        return found


def counters(batches: int, *, size: int = 4, batch_s: float = 0.1) -> ServerStatistics:
    frames, spent_s = batches * size, batches * batch_s
    return ServerStatistics(
        frames, batches, 0.0, 0.0, spent_s * size, 0.0, frames, spent_s, batches * size * size, spent_s * size
    )


def test_the_difference_of_two_readings_is_what_the_server_did() -> None:
    clock = FakeClock()
    meter = ServerMeter(_Server(counters=[counters(5), counters(15)]), clock, "c7i.xlarge")
    assert meter.read() is None
    clock.seconds += 2.5
    found = meter.read(640 * 288)
    assert found is not None
    assert found.window_s == pytest.approx(2.5, abs=0.001)
    counted = (found.executions, found.frames, found.frames_squared, found.execution_s, found.frame_execution_s)
    assert counted == (10, 40, 160, 1.0, 4.0)
    assert (found.input_pixels, found.worker, found.instances) == (640 * 288, "c7i.xlarge", 2)


def test_nothing_is_said_of_a_server_that_is_away_was_started_anew_or_did_nothing() -> None:
    clock = FakeClock()
    told = [counters(5), None, counters(2), counters(2), counters(6)]
    meter = ServerMeter(_Server(counters=[*told]), clock)
    assert [meter.read() for _ in told[:-1]] == [None] * 4
    found = meter.read()
    assert found is not None
    assert found.executions == 4


def test_frames_are_grouped_where_they_are_cheap() -> None:
    server = _Server(counters=[counters(5), counters(15, batch_s=0.1), counters(1015, batch_s=0.001)])
    meter = ServerMeter(server, FakeClock())
    meter.read()
    meter.read()
    assert meter.group == 1
