"""Downloads from peers that trickle: pace over every stretch of time, and a deadline that single bytes do not move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import httpcore
import pytest

from videojob.adapters.inputs.patience import Patience, PatientNetwork
from videojob.adapters.inputs.transfer import Body, CacheEntry, Download, TransferPolicy
from videojob.errors import InputUnavailable


class Peer:
    """Sends pieces of 1,000 bytes, each so many seconds after the one before; keeps the time."""

    def __init__(self, waits_s: Sequence[float]) -> None:
        self.now_s = 0.0
        self._waits_s = waits_s

    @contextmanager
    def open(self, offset: int) -> Iterator[Body]:
        """The one answer."""
        yield Body(offset, self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        for wait_s in self._waits_s:
            self.now_s += wait_s
            yield bytes(1000)


def download(waits_s: Sequence[float], folder: Path) -> int:
    """What a download with a minimum of 100 bytes per second, judged every 60 s, comes to."""
    peer = Peer(waits_s)
    policy = TransferPolicy(min_bytes_per_s=100, grace_s=60.0, monotonic_s=lambda: peer.now_s)
    entry = CacheEntry("http://web.example/clip.mp4", folder / "clip.mp4")
    Download(entry, 1000 * len(waits_s), policy).run(peer.open)
    return entry.path.stat().st_size


@pytest.mark.parametrize(
    "waits_s",
    [[5.0] * 100, [0.0] * 50 + [9.0] * 50, [59.0] + [0.0] * 50 + [2.0]],
    ids=["steady", "fast, then just enough", "a long pause, then much"],
)
def test_a_transfer_with_enough_pace_ends_well(waits_s: Sequence[float], tmp_path: Path) -> None:
    assert download(waits_s, tmp_path) == 1000 * len(waits_s)


@pytest.mark.parametrize(
    "waits_s",
    [[20.0] * 10, [0.0] * 1000 + [20.0] * 10],
    ids=["slow from the start", "slow after a fast start"],
)
def test_a_trickle_is_given_up_however_the_transfer_began(waits_s: Sequence[float], tmp_path: Path) -> None:
    with pytest.raises(InputUnavailable, match="too slow") as caught:
        download(waits_s, tmp_path)
    assert not caught.value.retryable


class Trickle:
    """A stream that sends one byte of an endless header, 25 s after the other."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timeouts_s: list[float | None] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """One byte, in time for a socket's timeout of 30 s."""
        del max_bytes
        self.timeouts_s.append(timeout)
        self.now_s += 25.0
        return b"x"

    def connect_tcp(self, *_: object) -> Trickle:
        """Itself."""
        return self


def test_bytes_now_and_then_do_not_put_off_the_deadline_of_an_answer() -> None:
    server = Trickle()
    patience = Patience(60.0, lambda: server.now_s)
    network = PatientNetwork(cast("httpcore.NetworkBackend", server), patience)
    stream = network.connect_tcp("web.example", 80)
    for _ in range(3):
        assert stream.read(1, 30.0) == b"x"
    with pytest.raises(httpcore.ReadTimeout, match="too slow"):
        stream.read(1, 30.0)
    assert server.timeouts_s == [30.0, 30.0, 10.0]
    patience.restart()
    assert stream.read(1, 30.0) == b"x"
