"""Which pictures of a transport stream lost something, by its packets alone."""

from __future__ import annotations

import io

import pytest

from videojob.media.decoding.continuity import Losses, losses_from

VIDEO, TABLE = 0x100, 0


def packet(counter: int, *, begins: bool = False, filled: int = 0, program: int = VIDEO, flags: int = 0) -> bytes:
    """One packet; `filled` is how many bytes of it say nothing, `flags` those of its adaptation field."""
    head = bytes([0x47, begins << 6 | program >> 8, program & 0xFF])
    if not filled:
        return head + bytes([0x10 | counter]) + bytes(184)
    field = bytes([filled - 1]) + (bytes([flags]) + b"\xff" * (filled - 2) if filled > 1 else b"")
    return head + bytes([0x30 | counter]) + field + bytes(184 - filled)


def picture(counter: int, count: int = 3) -> list[bytes]:
    """The packets of one picture, the last one filled up."""
    middle = [packet((counter + number) & 15) for number in range(1, count - 1)]
    return [packet(counter & 15, begins=True), *middle, packet((counter + count - 1) & 15, filled=20)]


def looked_at(packets: list[bytes], pictures: int = 2, length: int = 188) -> Losses | None:
    gap = bytes(length - 188)
    return losses_from(io.BytesIO(b"".join(gap + one for one in packets)), 0, length, pictures)


SOUND = [*picture(0), *picture(3), *picture(6)]


@pytest.mark.parametrize("length", [188, 192])
def test_nothing_is_lost_where_the_counter_goes_on(length: int) -> None:
    assert looked_at(SOUND, length=length) == Losses()


@pytest.mark.parametrize(
    ("lost", "torn", "broken_behind"),
    [
        (1, {0}, {0}),
        (2, {0}, {0}),
        (3, {0}, {0}),
        (4, {1}, {1}),
        (5, {1}, {1}),
    ],
)
def test_a_lost_packet_is_missed_by_the_picture_that_it_belonged_to(
    lost: int, torn: set[int], broken_behind: set[int]
) -> None:
    assert looked_at(SOUND[:lost] + SOUND[lost + 1 :]) == Losses(torn, broken_behind)


def test_where_a_whole_picture_is_lost_its_neighbours_are_complete() -> None:
    assert looked_at([*picture(0), *picture(6), *picture(9)]) == Losses(set(), {0})


def test_a_jump_between_complete_pictures_is_told_apart_from_a_loss_by_what_lies_around() -> None:
    tail_lost = [*picture(0)[:-1], *picture(5), *picture(8)]
    assert looked_at(tail_lost) == Losses({0}, {0})
    joined = [*picture(4), packet(0, begins=True, program=TABLE), *picture(0), *picture(3)]
    assert looked_at(joined) == Losses()


def test_a_jump_that_the_sender_tells_is_none() -> None:
    told = [*picture(0), packet(9, begins=True, filled=8, flags=0x80), *picture(10)]
    assert looked_at(told) == Losses()


def test_a_packet_that_the_receiver_marks_is_torn() -> None:
    marked = bytearray(SOUND[1])
    marked[1] |= 0x80
    assert looked_at([SOUND[0], bytes(marked), *SOUND[2:]]) == Losses({0}, {0})


def test_a_clock_reference_fills_no_packet_up() -> None:
    with_clock = packet(1, filled=8, flags=0x10)
    assert looked_at([packet(0, begins=True), with_clock, *picture(5), *picture(8)]) == Losses({0}, {0})


def test_what_is_no_start_of_a_picture_is_not_looked_at() -> None:
    assert looked_at(SOUND[1:]) is None
    assert looked_at([]) is None
