"""The end of a job on a cluster: folded once, and only when every segment is settled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.job_stores import FakeJobStore
from support.plans import bad_video, plan_head, planned_job
from support.results import run_record, segment_commit, segment_result
from videojob.api.videojob import VideoJob
from videojob.errors import InputCorrupt, ResultsIncomplete, SinkUnavailable
from videojob.planning.throughput.learn import Served
from videojob.planning.throughput.measured import Quantity, Subject
from videojob.results.aggregate.segment_results import RunRecord, ServerWork
from videojob.results.aggregate.summary import FailedInput
from videojob.results.stored.summary_codec import decode_summary
from videojob.video.plan import ModelFacts, SegmentFailure
from videojob.worker.steps.finalise import FinalOutcome, finalise_run, outcome_of, stored_outcome
from videojob.worker.steps.learning import Lesson

JOB = VideoJob.from_manifest(
    {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "faces", "namespace": "team"},
        "spec": {"inputs": [{"s3": {"bucket": "videos", "prefix": "p/"}}], "model": {"name": "face_detector"}},
    }
)
RUN = replace(run_record("team.1", segments=3), epoch=2)
CORRUPT = InputCorrupt("damaged", uri="s3://b/k", segment=1).as_dict()


def store_of(
    *, committed: set[int], failed: dict[int, int] | None = None, cuts: list[int | None] | None = None
) -> FakeJobStore:
    """A plan, by default of two videos with two segments and one, and what its workers stored."""
    videos = planned_job(cuts=[1, 0] if cuts is None else cuts)
    segments = [segment for video in videos for segment in video.segments]
    return FakeJobStore(
        head=plan_head(videos),
        videos=videos,
        stored={one.index: segment_commit(segment_result(one)) for one in segments if one.index in committed},
        failed={index: SegmentFailure(index, video, CORRUPT) for index, video in (failed or {}).items()},
        facts=ModelFacts("face_detector", "3", ("face",), "digest"),
    )


def test_what_the_commits_tell_of_speeds_is_noted() -> None:
    store = store_of(committed={0, 1, 2})
    work = ServerWork(1.0, 10, 160, 2_560, 0.36, 5.76, 16, 1, 184_320, "c7i.xlarge")
    store.stored = {
        index: replace(commit, timings=replace(commit.timings, retries=0, server=work))
        for index, commit in store.stored.items()
    }
    assert store.head is not None
    lesson = Lesson(Served("sha256:1", "faces", "tensorrt", "t4"), keyframes_only=False, segments=3)
    assert finalise_run(store, JOB, store.head, RUN, lesson) is not None
    subject = Subject(Quantity.REPLICA, "sha256:1", 184_320, "t4", "tensorrt", 16)
    name, values = lesson.learned()[subject]
    assert (name, len(values)) == ("faces", 3)
    assert values == pytest.approx([160 / 0.36] * 3)


def finalised(store: FakeJobStore, run: RunRecord = RUN) -> FinalOutcome | None:
    assert store.head is not None
    return finalise_run(store, JOB, store.head, run)


def test_a_job_whose_segments_are_all_committed_is_completed() -> None:
    store = store_of(committed={0, 1, 2})
    outcome = finalised(store)
    assert outcome is not None
    assert (outcome.state, outcome.reason) == ("Completed", "")
    summary = decode_summary(store.summaries[2])
    assert (summary.identity.namespace, summary.identity.name) == ("team", "faces")
    assert (summary.identity.model_version, summary.identity.labels) == ("3", ("face",))


@pytest.mark.parametrize("committed", [set(), {0, 1}, {1, 2}])
def test_an_open_segment_keeps_the_job_open(committed: set[int]) -> None:
    store = store_of(committed=committed)
    assert finalised(store) is None
    assert store.summaries == {}


@pytest.mark.parametrize(("committed", "failed"), [({0, 2}, {1: 0}), ({2}, {0: 0, 1: 0}), ({1, 2}, {0: 0})])
def test_a_failed_segment_settles_its_video_and_is_named(committed: set[int], failed: dict[int, int]) -> None:
    outcome = finalised(store_of(committed=committed, failed=failed))
    assert outcome is not None
    assert (outcome.state, outcome.reason) == ("PartiallyCompleted", "InputCorrupt")


@pytest.mark.parametrize("failed", [{0: 0}, {1: 0}, {0: 0, 1: 0, 2: 1}])
def test_a_video_whose_segments_are_all_committed_is_not_lost_to_a_late_verdict(failed: dict[int, int]) -> None:
    store = store_of(committed={0, 1, 2}, failed=failed)
    outcome = finalised(store)
    assert outcome is not None
    assert (outcome.state, outcome.reason) == ("Completed", "")
    assert store.summaries == store_with_all().summaries


def store_with_all() -> FakeJobStore:
    store = store_of(committed={0, 1, 2})
    finalised(store)
    return store


def test_a_late_verdict_on_a_committed_segment_does_not_settle_the_next_one() -> None:
    assert finalised(store_of(committed={0, 2}, failed={0: 0})) is None


def test_a_verdict_that_came_before_the_commits_were_read_is_seen_with_them() -> None:
    """The other way round a commit in between would be lost, and with it its video."""
    store = store_of(committed={0, 1, 2})
    asked: list[str] = []

    def noted(name: str) -> None:
        asked.append(name)

    store.problem = noted
    finalised(store)
    assert asked.index("failures") < asked.index("committed")


def test_a_segment_before_a_failed_one_must_still_be_run() -> None:
    assert finalised(store_of(committed={2}, failed={1: 0})) is None


def test_a_job_whose_videos_all_failed_has_failed() -> None:
    outcome = finalised(store_of(committed=set(), failed={0: 0, 2: 1}))
    assert outcome is not None
    assert (outcome.state, outcome.reason, outcome.frames) == ("Failed", "InputCorrupt", 0)


def test_an_input_that_the_planner_refused_is_named_too() -> None:
    store = store_of(committed={0}, cuts=[None, 0])
    assert store.videos[0] == bad_video(0)
    outcome = finalised(store)
    assert outcome is not None
    assert (outcome.state, outcome.reason) == ("PartiallyCompleted", "InputNotVideo")


def test_what_was_stored_first_stands() -> None:
    store = store_of(committed={0, 1, 2})
    first = finalised(store)
    del store.stored[0]
    store.failed[0] = SegmentFailure(0, 0, CORRUPT)  # by a worker that nobody waits for any more
    assert finalised(store) == stored_outcome(store, RUN) == first
    assert stored_outcome(store, replace(RUN, epoch=3)) is None


def test_a_finaliser_that_died_is_followed_by_the_same_summary() -> None:
    store = store_of(committed={0, 1, 2})
    store.problem = lambda name: SinkUnavailable("away") if name == "finalise" else None
    with pytest.raises(SinkUnavailable):
        finalised(store)
    store.problem = lambda _name: None
    assert finalised(store) == finalised(store_of(committed={0, 1, 2}))


def test_a_plan_with_parts_missing_is_no_plan() -> None:
    store = store_of(committed={0, 1, 2})
    del store.videos[1]
    with pytest.raises(ResultsIncomplete, match="2 of its 3"):
        finalised(store)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 of 2 inputs failed: s3://b/bad-0.mp4 (InputNotVideo: no video)"),
        (4, "4 of 5 inputs failed: s3://b/bad-0.mp4 (InputNotVideo: no video); "),
    ],
)
def test_the_first_inputs_that_failed_are_named(count: int, words: str) -> None:
    error = {"reason": "InputNotVideo", "message": "no video"}
    failed = tuple(FailedInput(at, f"s3://b/bad-{at}.mp4", error) for at in range(count))
    store = store_of(committed={0, 1, 2})
    finalised(store)
    summary = decode_summary(store.summaries[2])
    told = outcome_of(replace(summary, failed_inputs=failed, message=f"{count} of {count + 1} inputs failed"))
    assert told.message.startswith(words)
    assert told.message.endswith("…") == (count > 3)
    assert "bad-3" not in told.message
