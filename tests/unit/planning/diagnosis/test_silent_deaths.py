"""A segment in which pods die without a word costs its video, and neither its index's other segments nor the job."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.job_stores import FakeJobStore
from support.segments import run_record
from support.worker_pods import Pod
from videojob.errors import DecoderCrashed, InferenceTimeout, SinkUnavailable
from videojob.planning.diagnosis.silent_deaths import began, ended, kills_pods, silent_deaths
from videojob.planning.state.ending import Ending
from videojob.video.plan import SegmentDoubt, may_be_forgiven
from videojob.worker.pods.batch import BatchOutcome


class Killed(BaseException):
    """What `kill -9` leaves: no handler of errors, no termination message."""


def deadly(*segments: int) -> dict[int, Callable[[int], None]]:
    def kill(_segment: int) -> None:
        raise Killed

    return dict.fromkeys(segments, kill)


def played(store: FakeJobStore, *segments: int, limit: int = 5) -> tuple[list[int], BatchOutcome | None]:
    """The pods of one index, one after the other: the segment that each died in, and how the one ended that did not."""
    died: list[int] = []
    for failures in range(limit + 1):
        pod = Pod(failures=failures, limit=limit, store=store, name=f"pod-{failures}")
        pod.decoder.before.update(deadly(*segments))
        try:
            return died, pod.work()
        except Killed:
            died.append(pod.decoder.asked[-1])
    return died, None


def test_after_two_confirmed_deaths_the_video_is_given_up_and_all_others_are_done() -> None:
    store = FakeJobStore()
    died, outcome = played(store, 1)
    assert died == [1, 1, 1], "the first pod notes nothing, because healthy work shall cost nothing"
    assert outcome == BatchOutcome(Ending.SETTLED, committed=3, failed=1, skipped=1)
    assert set(store.stored) == {0, 3, 4, 5}
    (failure,) = store.failures(run_record())
    assert (failure.segment, failure.video, failure.error["reason"]) == (1, 0, "WorkerLost")
    assert "2 pods that began this segment died in it without a message" in failure.error["message"]
    assert may_be_forgiven(failure), "more memory may help when the job is resumed"


def test_two_odd_videos_of_one_index_are_both_given_up() -> None:
    store = FakeJobStore()
    died, outcome = played(store, 1, 5)
    assert died == [1, 1, 1, 5, 5]
    assert outcome is not None
    assert outcome.ending is Ending.SETTLED
    assert (set(store.stored), set(store.failed)) == ({0, 3, 4}, {1, 5})


def test_the_last_pod_needs_one_death_because_its_own_would_cost_the_job() -> None:
    store = FakeJobStore()
    died, outcome = played(store, 3, limit=2)
    assert died == [3, 3]
    assert outcome == BatchOutcome(Ending.SETTLED, committed=1, failed=1, skipped=3)
    assert set(store.failed) == {3}


def test_a_first_pod_notes_nothing() -> None:
    store = FakeJobStore()
    assert Pod(store=store).work().ending is Ending.SETTLED
    assert store.noted == {}


def test_a_pod_that_outlives_an_error_clears_the_segment() -> None:
    store = FakeJobStore()
    for failures in range(1, 5):
        slow = InferenceTimeout("slow")
        pod = Pod({2: [slow, slow]}, failures=failures, limit=9, store=store, name=f"pod-{failures}")
        assert pod.work().ending is Ending.FAILED
    assert Pod(failures=5, limit=9, store=store).work() == BatchOutcome(Ending.SETTLED, committed=4, skipped=2)


def test_a_pod_that_lost_its_node_convicts_nobody_because_kubernetes_does_not_count_it() -> None:
    store = FakeJobStore()
    for number in range(4):
        pod = Pod(failures=1, limit=5, store=store, name=f"pod-{number}")
        pod.decoder.before.update(deadly(1))
        with pytest.raises(Killed):
            pod.work()
    assert Pod(failures=1, limit=5, store=store).work().ending is Ending.SETTLED
    assert store.failed == {}


def test_a_decoder_that_dies_by_name_keeps_its_own_rule() -> None:
    store = FakeJobStore()
    for failures in (1, 2):
        dead = DecoderCrashed("dead")
        Pod({1: [dead, dead]}, failures=failures, limit=5, store=store, name=f"pod-{failures}").work()
    assert store.failed[1].error["reason"] == "DecoderCrashed"


def test_a_store_that_is_away_is_not_asked_to_note_it() -> None:
    store = FakeJobStore(problem=lambda name: SinkUnavailable("away") if name == "commit" else None)
    with pytest.raises(SinkUnavailable):
        Pod(failures=1, limit=5, store=store).work()
    assert [reason for _, reason in store.noted] == [began(1)]


def notes(*reasons: str) -> list[SegmentDoubt]:
    return [SegmentDoubt(0, reason, "pod", 0) for reason in reasons]


@pytest.mark.parametrize(
    ("reasons", "failures", "deaths"),
    [
        ((), 5, 0),
        ((began(1),), 1, 0),
        ((began(1),), 2, 1),
        ((began(1), ended(1)), 2, 0),
        ((began(1), began(2), "DecoderCrashed"), 3, 2),
        ((began(1), ended(1), began(2), began(3)), 3, 1),
        ((began(1), began(10), began(11)), 11, 2),
    ],
)
def test_a_try_that_began_a_segment_and_noted_no_end_died_in_it(
    reasons: tuple[str, ...], failures: int, deaths: int
) -> None:
    assert silent_deaths(notes(*reasons), failures) == deaths


@pytest.mark.parametrize(
    ("deaths", "is_last", "kills"),
    [(0, True, False), (1, False, False), (1, True, True), (2, False, True), (3, True, True)],
)
def test_one_death_may_have_been_the_machines(deaths: int, *, is_last: bool, kills: bool) -> None:
    assert kills_pods(deaths, is_last=is_last) is kills
