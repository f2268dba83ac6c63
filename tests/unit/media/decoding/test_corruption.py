"""Gaps: named exactly, with no picture inside."""

from __future__ import annotations

from videojob.media.decoding.corruption import Beginning, GapTracker


def test_a_gap_runs_from_the_loss_to_the_next_keyframe() -> None:
    tracker = GapTracker()
    assert tracker.admits(0)
    tracker.begin(40, "damaged")
    assert tracker.is_open
    assert not tracker.admits(40)
    assert not tracker.admits(80)
    tracker.keyframe(120)
    assert not tracker.admits(80), "a picture before the keyframe may come late"
    assert tracker.admits(120)
    tracker.finish(200)
    assert tracker.gaps == [(40, 120, "damaged")]


def test_a_loss_told_late_ends_at_the_keyframe_already_seen() -> None:
    tracker = GapTracker()
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.keyframe(120)
    tracker.begin(80, "damaged")
    assert not tracker.is_open
    assert not tracker.admits(80)
    assert tracker.admits(120)
    assert tracker.gaps == [(80, 120, "damaged")]


def test_more_damage_in_a_gap_is_the_same_gap() -> None:
    tracker = GapTracker()
    tracker.begin(40, "first")
    tracker.begin(80, "second")
    tracker.finish(200)
    assert tracker.gaps == [(40, 200, "first")]


def test_gaps_that_touch_are_one() -> None:
    tracker = GapTracker()
    tracker.begin(0, "first")
    tracker.keyframe(40)
    tracker.begin(40, "second")
    tracker.keyframe(80)
    assert tracker.admits(80)
    tracker.finish(200)
    assert tracker.gaps == [(0, 80, "first")]


def test_a_gap_never_reaches_back_over_a_picture_given_out() -> None:
    tracker = GapTracker()
    assert tracker.admits(100)
    tracker.begin(60, "late")
    tracker.finish(200)
    assert tracker.gaps == [(101, 200, "late")]


def test_damage_right_before_a_keyframe_costs_nothing() -> None:
    tracker = GapTracker()
    assert tracker.admits(80)
    tracker.lose(120, "between blocks")
    tracker.keyframe(120)
    assert tracker.admits(120)
    tracker.finish(200)
    assert tracker.gaps == []


def test_a_gap_starts_at_the_lowest_time_of_what_is_decoded_from_the_damaged_packet_on() -> None:
    tracker = GapTracker(interval=40)
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.begin(160, "the picture that the next three refer to")
    for pts in (80, 40, 120):
        tracker.packet(pts)
    assert not any(tracker.admits(pts) for pts in (40, 80, 120, 160))
    tracker.keyframe(320)
    tracker.packet(240)
    assert [tracker.admits(pts) for pts in (240, 320)] == [False, True]
    tracker.finish(400)
    assert tracker.gaps == [(40, 320, "the picture that the next three refer to")]


def test_more_damage_before_the_start_of_a_gap_moves_its_start() -> None:
    tracker = GapTracker(interval=40)
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.begin(160, "first")
    tracker.begin(80, "second")
    tracker.keyframe(320)
    tracker.begin(60, "third")
    assert not tracker.admits(60)
    assert tracker.admits(320)
    tracker.finish(400)
    assert tracker.gaps == [(60, 320, "first")]


def test_damage_to_a_picture_that_leads_a_keyframe_ends_at_it() -> None:
    tracker = GapTracker(interval=40)
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.keyframe(160)
    tracker.begin(80, "leads it")
    tracker.packet(40)
    tracker.packet(200)
    assert [tracker.admits(pts) for pts in (40, 80, 160, 200)] == [False, False, True, True]
    tracker.finish(240)
    assert tracker.gaps == [(40, 160, "leads it")]


def test_a_damaged_keyframe_ends_no_gap() -> None:
    tracker = GapTracker(interval=40)
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.keyframe(80)
    tracker.begin(80, "it cannot be decoded")
    tracker.packet(120)
    assert not any(tracker.admits(pts) for pts in (80, 120))
    tracker.keyframe(160)
    assert tracker.admits(160)
    tracker.finish(200)
    assert tracker.gaps == [(80, 160, "it cannot be decoded")]


def test_pictures_that_are_missing_may_be_presented_before_those_that_wait_in_the_decoder() -> None:
    tracker = GapTracker(interval=40)
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.packet(120)
    tracker.lose(40, "packets are missing")
    tracker.packet(240)
    assert not tracker.admits(120)
    tracker.keyframe(400)
    assert tracker.admits(400)
    tracker.finish(440)
    assert tracker.gaps == [(40, 400, "packets are missing")]


def test_a_place_where_pictures_may_be_missing_is_a_gap_only_when_there_is_room_for_one() -> None:
    for keyframe, gaps in ((40, []), (80, [(40, 80, "packets are missing")])):
        tracker = GapTracker(interval=40)
        tracker.keyframe(0)
        assert tracker.admits(0)
        tracker.lose(40, "packets are missing")
        tracker.keyframe(keyframe)
        assert tracker.admits(keyframe)
        tracker.finish(200)
        assert tracker.gaps == gaps


def test_where_pictures_refresh_bit_by_bit_a_gap_ends_with_the_first_whole_one() -> None:
    tracker = GapTracker(interval=40)
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.begin(40, "damaged")
    tracker.keyframe(120, is_entry=False)
    assert tracker.is_open
    tracker.packet(160)
    assert not tracker.admits(80)
    assert tracker.admits(200)
    tracker.finish(240)
    assert tracker.gaps == [(40, 200, "damaged")]


def test_a_gap_is_settled_when_nothing_can_move_its_start_any_more() -> None:
    tracker = GapTracker(interval=40)
    assert tracker.admits(0)
    tracker.begin(40, "damaged")
    settled = [tracker.has_settled]
    for number in range(64):
        tracker.packet(80 + 40 * number)
    settled.append(tracker.has_settled)
    assert settled == [False, True]
    assert tracker.settled == [(40, 41, "damaged")]


def test_two_gaps_apart_stay_two() -> None:
    tracker = GapTracker()
    tracker.begin(40, "a")
    tracker.keyframe(80)
    assert tracker.admits(80)
    tracker.begin(120, "b")
    tracker.finish(160)
    assert tracker.gaps == [(40, 80, "a"), (120, 160, "b")]


def test_a_gap_before_a_clock_that_starts_again_is_still_named() -> None:
    tracker = GapTracker()
    assert tracker.admits(80)
    tracker.begin(120, "lost packets")
    tracker.keyframe(0)
    assert tracker.admits(0)
    tracker.finish(200)
    assert tracker.gaps == [(120, 121, "lost packets")]


def test_what_a_broadcast_lacks_at_its_beginning_is_no_damage() -> None:
    beginning = Beginning(may_lack_keyframe=True)
    assert not beginning.is_damage(100)
    beginning.keyframe(200)
    beginning.keyframe(300)
    assert [beginning.is_damage(pts) for pts in (160, 200, 240)] == [False, True, True]


def test_a_file_that_begins_with_a_packet_that_cannot_be_decoded_is_damaged() -> None:
    beginning = Beginning(may_lack_keyframe=False)
    assert beginning.is_damage(0)
    beginning.keyframe(200)
    assert [beginning.is_damage(pts) for pts in (160, 200)] == [False, True]


def test_a_gap_that_no_picture_precedes_begins_with_the_video() -> None:
    tracker = GapTracker(begins_at=0)
    tracker.keyframe(0)
    tracker.begin(120, "noise")
    tracker.keyframe(400)
    assert tracker.admits(400)
    tracker.begin(600, "more noise")
    tracker.finish(800)
    assert tracker.gaps == [(0, 400, "noise"), (600, 800, "more noise")]
