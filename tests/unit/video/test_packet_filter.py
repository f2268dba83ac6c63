"""Decoding only what sampled pictures need: everything that one refers to, little else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videojob.video import packet_filter
from videojob.video.packet_filter import Planned, keyframes, plan


@dataclass(frozen=True, slots=True)
class FakePacket:
    """A packet, and which others (by pts) its picture refers to."""

    pts: int | None
    dts: int | None
    is_key: bool = False
    size: int = 100
    refers_to: tuple[int, ...] = ()
    is_reference: bool = True


def group(first: int, pictures: int, *, b_frames: int, open_before: int | None = None) -> list[FakePacket]:
    """One group in decoding order: a keyframe, then P pictures each followed by the B pictures before it.

    With `open_before`, the keyframe is followed by B pictures that refer to the last picture of the group before.
    """
    leading = b_frames if open_before is not None else 0
    key = first + leading
    packets = [FakePacket(key, first, is_key=True)]
    if open_before is not None:
        packets += [
            FakePacket(first + n, first + n, refers_to=(open_before, key), is_reference=False) for n in range(leading)
        ]
    last = key
    position = key + 1
    while position < first + pictures:
        end = min(position + b_frames, first + pictures - 1)
        packets.append(FakePacket(end, position - leading, refers_to=(last,)))
        packets += [
            FakePacket(pts, position - leading, refers_to=(last, end), is_reference=False)
            for pts in range(position, end)
        ]
        last, position = end, end + 1
    return packets


def video(sizes: Sequence[int], b_frames: int, *, is_open: bool) -> list[FakePacket]:
    packets: list[FakePacket] = []
    first, last = 0, None
    for pictures in sizes:
        new = group(first, pictures, b_frames=b_frames, open_before=last)
        packets += new
        first += pictures
        last = max(packet.pts or 0 for packet in new) if is_open else None
    return packets


def planned(packets: Sequence[FakePacket], wanted: set[int], end: int | None = None) -> list[Planned[FakePacket]]:
    return list(plan(iter(packets), wanted.__contains__, lambda packet: packet.is_key, end))


def decoded(chosen: Sequence[Planned[FakePacket]]) -> set[int]:
    """Pictures that a decoder gives out: those whose references it still has."""
    out: set[int] = set()
    held: set[int] = set()
    for item in chosen:
        packet = item.packet
        if item.is_fresh:
            held.clear()
        if packet.pts is None or (not item.is_selected and not packet.is_reference):
            continue
        if set(packet.refers_to) <= held:
            out.add(packet.pts)
            held.add(packet.pts)
    return out


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    b_frames=st.integers(0, 3),
    is_open=st.booleans(),
    data=st.data(),
)
def test_every_wanted_picture_is_decoded(sizes: list[int], b_frames: int, is_open: bool, data: st.DataObject) -> None:
    packets = video(sizes, b_frames, is_open=is_open)
    everything = decoded([Planned(packet) for packet in packets])
    wanted = data.draw(st.sets(st.sampled_from(sorted(everything)), max_size=10))
    chosen = planned(packets, wanted)
    assert wanted <= decoded(chosen)
    assert [item.packet for item in chosen] == [packet for packet in packets if packet in {i.packet for i in chosen}]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    b_frames=st.integers(0, 3),
    is_open=st.booleans(),
    data=st.data(),
)
def test_first_packets_without_times_of_decoding_change_nothing(
    sizes: list[int], b_frames: int, is_open: bool, data: st.DataObject
) -> None:
    packets = video(sizes, b_frames, is_open=is_open)
    wanted = data.draw(st.sets(st.sampled_from(sorted(packet.pts or 0 for packet in packets)), max_size=10))
    unknown = min(b_frames, len(packets) - 1)
    # As the Matroska demuxer gives them.
    given_out = [replace(packet, dts=None) if n < unknown else packet for n, packet in enumerate(packets)]
    chosen = planned(given_out, wanted)
    expected = planned(packets, wanted)
    assert [(item.packet.pts, item.is_selected, item.is_fresh) for item in chosen] == [
        (item.packet.pts, item.is_selected, item.is_fresh) for item in expected
    ]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=8),
    b_frames=st.integers(0, 3),
    is_open=st.booleans(),
    window=st.integers(1, 60),
    data=st.data(),
)
def test_a_packet_without_times_never_leaves_the_decoder_without_what_it_needs(
    sizes: list[int], b_frames: int, is_open: bool, window: int, data: st.DataObject
) -> None:
    sound = video(sizes, b_frames, is_open=is_open)
    pictures = sorted(decoded([Planned(packet) for packet in sound]))
    wanted = data.draw(st.sets(st.sampled_from(pictures), max_size=10))
    at = data.draw(st.integers(0, len(sound) - 1))
    packets = [replace(packet, pts=None, dts=None) if n == at else packet for n, packet in enumerate(sound)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packet_filter, "WINDOW_PACKETS", max(window, 2 * b_frames + 3))
        chosen = planned(packets, wanted)
    # What the decoder sees: the same pictures, their times known.
    whole = dict(zip(map(id, packets), sound, strict=True))
    seen = [replace(item, packet=whole[id(item.packet)]) for item in chosen]
    fed = {item.packet.pts for item in seen if item.is_selected or item.packet.is_reference}
    assert decoded(seen) == fed, "a picture was decoded without what it refers to"
    assert wanted - {sound[at].pts} <= fed


def test_groups_without_a_wanted_picture_are_left_out() -> None:
    packets = video([10] * 10, 2, is_open=False)
    chosen = planned(packets, {0, 50})
    assert {item.packet.pts for item in chosen} == {0, 50}
    assert [item.is_fresh for item in chosen] == [False, True]


def test_nothing_wanted_decodes_nothing() -> None:
    assert planned(video([10] * 4, 2, is_open=True), set()) == []


def test_what_lies_behind_the_last_wanted_picture_of_a_group_is_left_out() -> None:
    chosen = planned(video([30, 30], 0, is_open=False), {12})
    assert [item.packet.pts for item in chosen] == list(range(13))
    assert [item.is_selected for item in chosen] == [False] * 12 + [True]


def test_pictures_that_lead_a_keyframe_keep_the_group_before_it() -> None:
    packets = video([10, 10], 2, is_open=True)
    leading = next(packet.pts for packet in packets[10:] if not packet.is_reference)
    assert leading is not None
    assert leading in decoded(planned(packets, {leading}))


def test_nothing_from_the_end_on_is_read() -> None:
    packets = video([10] * 4, 0, is_open=False)
    source = iter(packets)
    chosen = list(plan(source, lambda pts: pts < 15, lambda packet: packet.is_key, 15))
    assert [item.packet.pts for item in chosen] == list(range(15))
    assert len(list(source)) == 40 - 16


def test_packets_without_times_are_all_decoded() -> None:
    packets = [FakePacket(None, None, is_key=n == 0) for n in range(20)]
    assert [item.packet for item in planned(packets, set())] == packets


def test_the_packet_that_ends_the_stream_is_passed_on() -> None:
    flush = FakePacket(None, None, size=0)
    assert planned([*video([5], 0, is_open=False), flush], set()) == [Planned(flush)]


def test_the_window_is_bounded_in_packets_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_filter, "WINDOW_BYTES", 1000)
    taken: list[FakePacket] = []

    def counted() -> Iterator[FakePacket]:
        for packet in video([400], 0, is_open=False):
            taken.append(packet)
            yield packet

    chosen = plan(counted(), lambda pts: pts == 399, lambda packet: packet.is_key, None)
    next(chosen)
    assert len(taken) <= 12
    assert len(list(chosen)) == 399


def test_behind_a_packet_without_times_decoding_begins_anew_at_the_next_keyframe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packet_filter, "WINDOW_PACKETS", 12)
    packets = video([10, 10, 10], 0, is_open=False)
    packets[15] = replace(packets[15], pts=None, dts=None)
    chosen = planned(packets, {0})
    assert [item.packet for item in chosen] == [packets[0], *packets[10:]]
    assert [item.is_fresh for item in chosen[:3]] == [False, True, False]


def test_pictures_behind_a_clock_that_starts_again_are_decided_on_their_own() -> None:
    packets = [*video([10, 10], 0, is_open=False), *video([10], 0, is_open=False)]
    asked: list[int] = []

    def selects(pts: int) -> bool:
        asked.append(pts)
        return False

    list(plan(iter(packets), selects, lambda packet: packet.is_key, None))
    assert asked == [*range(20), *range(10)]


def test_where_no_packet_tells_its_time_of_decoding_everything_is_decoded() -> None:
    packets = [replace(packet, dts=None) for packet in video([100], 0, is_open=False)]
    assert len(planned(packets, set())) == 100


def test_keyframes_are_decoded_alone_up_to_the_end() -> None:
    packets = [*video([10] * 4, 2, is_open=True), FakePacket(None, None, size=0)]
    keys = [packet.pts for packet in packets if packet.is_key]
    for end, expected in ((None, [*keys, None]), (keys[2], keys[:2]), ((keys[2] or 0) + 1, keys[:3])):
        left_out: list[FakePacket] = []
        chosen = list(keyframes(iter(packets), lambda packet: packet.is_key, end, left_out.append))
        assert [item.packet.pts for item in chosen] == expected
        assert all(item.is_fresh and item.is_selected for item in chosen)
        assert not any(packet.is_key for packet in left_out)
    assert len(left_out) > 20
