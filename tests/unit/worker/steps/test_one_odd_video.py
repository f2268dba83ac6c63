"""An error that nobody foresaw is the failure of the video that brought it out, and of no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from support.fakes import FakeClock
from support.segments import segment_task
from videojob.api.spec import VideoJobSpec
from videojob.errors import CredentialsRejected, InputNotFound, ProcessingFault, SetupError
from videojob.local.reading import InputReading
from videojob.ports.inputs import FetchedInput
from videojob.worker.segment.task import fault_in_video
from videojob.worker.steps.dispatch import Dispatcher, Verdict
from videojob.worker.steps.inputs import FailedInput, InputResolver, Item
from videojob.worker.steps.probing import probe_inputs


class Fetching(InputResolver):
    """Fetches one input with an error, and finds none of the others."""

    def __init__(self, error: Exception) -> None:
        super().__init__(Path(), Path())
        self._error = error

    def fetch(self, wanted: Item) -> FetchedInput | FailedInput:
        if wanted.uri.endswith("odd.mp4"):
            raise self._error
        return FailedInput(wanted.uri, wanted.name, InputNotFound("no such file"))


def reading(items: Sequence[str]) -> InputReading:
    spec = VideoJobSpec.model_validate(
        {
            "inputs": [{"s3": {"bucket": "films", "key": key}} for key in items],
            "model": {"name": "face_detector"},
        }
    )
    return InputReading(spec, 1, lambda _s: None, FakeClock(), lambda _text: None, None)


def test_a_fault_while_one_input_is_fetched_leaves_the_others_alone() -> None:
    with Fetching(ZeroDivisionError("by zero")) as resolver:
        found = reading(["odd.mp4", "gone.mp4"]).videos(resolver)
    errors = [video.error for video in found]
    assert [error.reason for error in errors if error is not None] == ["ProcessingFault", "InputNotFound"]
    assert "ZeroDivisionError: by zero (s3://films/odd.mp4)" in str(errors[0])


@pytest.mark.parametrize("error", [SetupError("no credentials"), CredentialsRejected("expired")])
def test_what_makes_every_input_impossible_is_raised_at_once(error: SetupError) -> None:
    with Fetching(error) as resolver, pytest.raises(type(error)):
        reading(["odd.mp4", "gone.mp4"]).videos(resolver)


def test_a_fault_while_one_input_is_probed_leaves_the_others_alone() -> None:
    odd = FetchedInput("odd", Path("no\0name.mp4"), "1")
    gone = FailedInput("gone", "", InputNotFound("no such file"))
    found = probe_inputs([odd, gone], 1, 30_000)
    assert [type(video.error) for video in found] == [ProcessingFault, InputNotFound]
    assert found[0].error is not None
    assert "ValueError" in found[0].error.message


def test_a_fault_in_one_segment_ends_its_video_and_not_the_job() -> None:
    state = Dispatcher([segment_task(0, video=0), segment_task(1, video=0), segment_task(2, video=1)], 5)
    assert state.next_task() is not None
    assert state.failed(0, fault_in_video(ZeroDivisionError("by zero"), "odd.mp4", 0)) is Verdict.VIDEO_FAILED
    other = state.next_task()
    assert other is not None
    assert other.segment.index == 2
    state.succeeded(2)
    assert (state.finished, state.job_error, [one.error.reason for one in state.failures]) == (
        True,
        None,
        ["ProcessingFault"],
    )
