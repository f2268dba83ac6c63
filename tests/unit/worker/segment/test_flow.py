"""Flow control: bounds hold, order holds, nothing waits for itself."""

from __future__ import annotations

import itertools
import random
from collections import deque

import numpy as np
import pytest

from videojob.media.protocol.messages import Frame
from videojob.vision.tensors import Detections
from videojob.worker.segment.flow import FrameFlow, Group


def frame(seq: int, slots: int, *, gated: bool = False, slot: int | None = None) -> Frame:
    return Frame(seq=seq, pts=seq, time_ms=seq * 40, slot=None if gated else (seq % slots if slot is None else slot))


def boxes(seq: int) -> Detections:
    return Detections(
        np.array([[seq, 0, seq + 1, 1]], np.float32), np.array([0.5], np.float32), np.array([0], np.int32)
    )


def flow(*, slots: int = 8, in_flight: int = 4, group: int = 2) -> FrameFlow:
    return FrameFlow(slots=slots, in_flight=in_flight, group=group, request_ids=itertools.count(1))


def answer(flow: FrameFlow, group: Group) -> None:
    assert flow.answer(group.request_id, [boxes(frame.seq) for frame in group.frames])


def test_first_frame_goes_at_once_because_the_server_has_nothing_to_do() -> None:
    state = flow(group=4)
    state.receive(frame(0, 8))
    group = state.next_group(flush=False)
    assert group is not None
    assert [item.seq for item in group.frames] == [0]


def test_frames_wait_for_a_full_group_while_the_server_is_busy() -> None:
    state = flow(group=2)
    state.receive(frame(0, 8))
    assert state.next_group(flush=False) is not None
    state.receive(frame(1, 8))
    assert state.next_group(flush=False) is None
    state.receive(frame(2, 8))
    group = state.next_group(flush=False)
    assert group is not None
    assert [item.seq for item in group.frames] == [1, 2]


def test_flush_sends_a_part_of_a_group() -> None:
    state = flow(group=4, in_flight=8)
    for seq in range(2):
        state.receive(frame(seq, 8))
        state.next_group(flush=False)
    state.receive(frame(2, 8))
    group = state.next_group(flush=True)
    assert group is not None
    assert [item.seq for item in group.frames] == [1, 2]


def test_a_group_never_wraps_round_the_end_of_the_ring() -> None:
    state = flow(slots=4, in_flight=4, group=4)
    state.receive(frame(0, 4, slot=2))
    first = state.next_group(flush=False)
    assert first is not None
    state.receive(frame(1, 4, slot=3))
    cut = state.next_group(flush=False)
    assert cut is not None
    assert [item.slot for item in cut.frames] == [3]


def test_results_leave_in_presentation_order_whatever_the_order_of_answers() -> None:
    state = flow(group=1)
    sent = []
    for seq in range(3):
        state.receive(frame(seq, 8))
        sent.append(state.next_group(flush=True))
    groups = [group for group in sent if group is not None]
    answer(state, groups[2])
    answer(state, groups[1])
    assert state.drain() == []
    answer(state, groups[0])
    assert [item.seq for item, _ in state.drain()] == [0, 1, 2]


def test_a_gated_frame_waits_for_its_elders_and_brings_no_boxes() -> None:
    state = flow(group=1)
    state.receive(frame(0, 8))
    group = state.next_group(flush=True)
    state.receive(frame(1, 8, gated=True))
    assert state.drain() == []
    assert group is not None
    answer(state, group)
    drained = state.drain()
    assert [item.seq for item, _ in drained] == [0, 1]
    assert drained[1][1] is None


def test_an_answer_to_nobody_is_told_apart() -> None:
    state = flow()
    assert state.frames_of(77) == ()
    assert not state.answer(77, [])


def test_an_answer_of_the_wrong_length_is_refused() -> None:
    state = flow()
    state.receive(frame(0, 8))
    group = state.next_group(flush=True)
    assert group is not None
    with pytest.raises(ValueError, match="held 1 frames, its answer 2"):
        state.answer(group.request_id, [boxes(0), boxes(1)])


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_events_keeps_the_bounds_and_ends(seed: int) -> None:
    chance = random.Random(seed)
    slots, in_flight, size = chance.randint(2, 12), chance.randint(1, 10), chance.randint(1, 6)
    state = flow(slots=slots, in_flight=in_flight, group=size)
    total, next_slot = 60, 0
    seen: list[int] = []
    open_groups: deque[Group] = deque()

    def send(*, flush: bool) -> None:
        while (group := state.next_group(flush=flush)) is not None:
            assert state.flying_frames <= in_flight
            open_groups.append(group)

    def collect() -> None:
        open_groups.rotate(chance.randint(0, len(open_groups)))
        answer(state, open_groups.popleft())
        seen.extend(item.seq for item, _ in state.drain())

    for seq in range(total):
        gated = seq > 0 and chance.random() < 0.2
        state.receive(frame(seq, slots, gated=gated, slot=next_slot))
        next_slot = next_slot if gated else (next_slot + 1) % slots
        send(flush=False)
        while open_groups and (state.must_collect or chance.random() < 0.3):
            collect()
            send(flush=False)
        seen.extend(item.seq for item, _ in state.drain())
        assert not state.must_collect, "waiting for the decoder would be waiting for ourselves"
    send(flush=True)
    while open_groups:
        collect()
        send(flush=True)
    seen.extend(item.seq for item, _ in state.drain())
    assert seen == list(range(total))
