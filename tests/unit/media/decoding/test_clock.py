"""A restarted clock is put forward; an odd time here and there is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videojob.media.decoding.clock import RunningClock


@dataclass(slots=True)
class FakePacket:
    pts: int | None
    dts: int | None
    is_keyframe: bool = False
    is_discard: bool = False


def run_on(packets: Sequence[FakePacket], interval: int = 40) -> list[tuple[int | None, int | None]]:
    clock = RunningClock(interval=interval, ticks_per_s=1000)
    for packet in packets:
        clock.run_on(packet)
    return [(packet.pts, packet.dts) for packet in packets]


def recording(start: int, count: int) -> list[FakePacket]:
    """Decoding order with two pictures of delay, a keyframe first."""
    return [FakePacket(start + n * 40 + 80, start + n * 40, is_keyframe=n == 0) for n in range(count)]


def test_sound_times_stay_as_they_are() -> None:
    packets = recording(1000, 50)
    assert run_on(packets) == [(1080 + n * 40, 1000 + n * 40) for n in range(50)]


def test_a_clock_that_starts_again_goes_on_one_interval_behind_the_last_picture() -> None:
    times = run_on([*recording(0, 5), *recording(0, 5), *recording(-5000, 5)])
    assert times == [(80 + n * 40, n * 40) for n in range(15)]


def test_the_interval_is_the_last_one_of_before_whatever_the_average_is() -> None:
    times = run_on([*recording(0, 5), *recording(0, 3)], interval=19)
    assert times == [(80 + n * 40, n * 40) for n in range(8)]


def test_a_short_step_back_is_a_restart_at_a_keyframe_only() -> None:
    odd = [FakePacket(0, 0, is_keyframe=True), FakePacket(80, 80), FakePacket(40, 40), FakePacket(120, 120)]
    assert run_on(odd) == [(0, 0), (80, 80), (40, 40), (120, 120)]
    assert run_on([*recording(0, 3), *recording(0, 2)])[3:] == [(200, 120), (240, 160)]


def test_pictures_that_an_edit_list_hides_do_not_restart_the_clock() -> None:
    hidden = FakePacket(-9000, -9000, is_keyframe=True, is_discard=True)
    assert run_on([*recording(0, 2), hidden, FakePacket(160, 80)])[2:] == [(-9000, -9000), (160, 80)]


def test_packets_without_times_are_left_alone() -> None:
    assert run_on([*recording(0, 2), FakePacket(None, None)])[2] == (None, None)


def test_a_time_of_presentation_that_cannot_be_is_replaced() -> None:
    far = [FakePacket(9_000_000, 200, is_keyframe=True), FakePacket(-9_000_000, 240), FakePacket(360, 280)]
    assert run_on([*recording(0, 5), *far])[5:] == [(280, 200), (None, 240), (360, 280)]


def test_a_video_that_is_shown_late_from_its_start_keeps_its_times() -> None:
    late = [FakePacket(90_000 + n * 40, n * 40, is_keyframe=n == 0) for n in range(5)]
    assert run_on(late) == [(90_000 + n * 40, n * 40) for n in range(5)]


def joined(
    *documents: Sequence[FakePacket], has_pts: bool = True, missing_ticks: int = 0
) -> list[tuple[int | None, int | None]]:
    clock = RunningClock(interval=100, ticks_per_s=1000, has_pts=has_pts)
    for document in documents:
        for packet in document:
            clock.run_on(packet)
        clock.join(missing_ticks)
    return [(packet.pts, packet.dts) for document in documents for packet in document]


def test_another_document_goes_on_one_true_interval_behind_the_last_picture_or_keeps_its_clock() -> None:
    assert joined(recording(0, 5), recording(0, 3))[5:] == [(280 + n * 40, 200 + n * 40) for n in range(3)]
    assert joined(recording(0, 5), recording(200, 3))[5:] == [(280 + n * 40, 200 + n * 40) for n in range(3)]
    assert joined(recording(0, 5), recording(9000, 1))[5:] == [(9080, 9000)]
    # After more than a day it is another clock.
    assert joined(recording(0, 5), recording(10**9, 1))[5:] == [(280, 200)]


def test_another_document_begins_behind_what_is_missing_before_it() -> None:
    assert joined(recording(0, 5), recording(0, 1), missing_ticks=400)[5:] == [(680, 600)]
    assert joined(recording(0, 5), recording(9000, 1), missing_ticks=400)[5:] == [(9080, 9000)]


def test_another_document_whose_first_packet_has_one_time_only() -> None:
    assert joined(recording(0, 5), [FakePacket(0, None, is_keyframe=True)])[5:] == [(280, None)]
    assert joined(recording(0, 5), [FakePacket(7, 0, is_keyframe=True)], has_pts=False)[5:] == [(207, 200)]
