"""What `videojob watch`, `suspend` and `resume` say, and how a watch ends."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import pytest
from rich.console import Console

from support.fakes import FakeClock
from support.job_states import a_state, condition, new_state
from videojob.cli.cluster.connection import Access, command_line
from videojob.cli.cluster.following import Back, Gone, Happened, Lost, Refused, Seen, Update
from videojob.cli.cluster.suspend import hold_text
from videojob.cli.cluster.watch import exit_code_of, show_end, watch_job
from videojob.cli.cluster.watch_view import PlainWatch, WatchDisplay, end_document, state_text, watch_view
from videojob.cli.exit_codes import ExitCode
from videojob.errors import ClusterRefused, ClusterUnavailable, SetupError
from videojob.kube.read.job_state import JobState

DONE = a_state("Completed", "True", message="Every frame is there.", startTime="2026-11-25T10:00:00Z")
PROGRESS = {"framesDone": 300, "framesTotal": 900, "segmentsDone": 1, "segmentsTotal": 3}
WAITING = a_state(
    "ProvisioningGPU",
    message="the inference server waits for a node. Look.",
    conditions=(
        condition("CapacityReady", "False", "InsufficientCapacity", "karpenter: no instance type has room"),
        condition("Suspended", "False", "ProvisioningGPU"),
    ),
)


@dataclass
class Heard:
    """A source of these events and no more."""

    job: JobState
    news: list[Update]

    def next(self, _timeout_s: float) -> Update | None:
        return self.news.pop(0) if self.news else None


def heard(first: JobState, *news: Update) -> Heard:
    return Heard(first, list(news))


def plain(first: JobState, *news: Update) -> list[str]:
    """The lines of a watch that ends."""
    text = io.StringIO()
    clock = FakeClock()
    watch_job(heard(first, *news), PlainWatch(Console(file=text, width=300), clock), clock)
    return text.getvalue().splitlines()


def event(reason: str, message: str = "it happened", kind: str = "Normal") -> Happened:
    return Happened("2026-11-25T10:00:07Z", kind, reason, message)


def test_a_watch_ends_with_the_job_and_has_its_events() -> None:
    job, events = watch_job(heard(a_state(), event("Processing"), Seen(DONE)), WatchDisplay(), FakeClock())
    assert (job, [one.reason for one in events]) == (DONE, ["Processing"])


def test_events_behind_the_end_are_waited_for() -> None:
    _, events = watch_job(heard(a_state(), Seen(DONE), event("Completed")), WatchDisplay(), FakeClock())
    assert [one.reason for one in events] == ["Completed"]


def test_plain_lines_say_each_change_once() -> None:
    working = a_state(progress=PROGRESS)
    lines = plain(WAITING, Seen(WAITING), Seen(WAITING), Seen(working), Seen(working), Seen(DONE))
    assert lines == [
        "team-a/entrance: ProvisioningGPU: the inference server waits for a node. Look.",
        "  CapacityReady no (InsufficientCapacity): karpenter: no instance type has room",
        "team-a/entrance: Processing: segments are running",
        "  300/900 frames  1/3 segments  0.0 frames/s",
    ]


def test_a_state_that_an_event_has_told_is_not_told_again() -> None:
    lines = plain(
        new_state(), Seen(new_state()), event("Processing", "segments are running"), Seen(a_state()), Seen(DONE)
    )
    assert lines == [
        "team-a/entrance: not yet picked up by the controller",
        "10:00:07 Processing: segments are running",
    ]


def test_a_job_that_nobody_looks_at_for_long_leads_to_the_doctor() -> None:
    job = replace(new_state(), created_s=1000.0)
    assert state_text(job, 1010.0) == "team-a/entrance: not yet picked up by the controller"
    assert state_text(job, 1020.0).endswith("controller; `videojob doctor` checks the controller")


def test_an_event_that_the_state_has_told_is_not_told_again() -> None:
    lines = plain(a_state(), Seen(a_state()), event("Processing", "segments are running"), Seen(DONE))
    assert lines == ["team-a/entrance: Processing: segments are running"]


def test_a_suspended_job_says_so_and_says_when_it_is_not_any_more() -> None:
    held = a_state("Suspended", message="held.", conditions=(condition("Suspended", "True", "Suspended", "by spec"),))
    free = a_state(conditions=(condition("Suspended", "False", "Processing"),))
    lines = plain(held, Seen(held), Seen(free), Seen(DONE))
    assert lines[1] == "  Suspended yes: by spec"
    assert lines[-1] == "  Suspended no"


def test_a_warning_is_marked() -> None:
    assert "10:00:07 ! SegmentRetried: it happened" in plain(
        a_state(), event("SegmentRetried", kind="Warning"), Seen(DONE)
    )


def test_a_lost_connection_is_told_and_does_not_end_the_watch() -> None:
    lines = plain(a_state(), Lost(ClusterUnavailable("GET /x: refused")), Back(), Seen(DONE))
    assert lines[0] == "no answer from the API server, retrying: GET /x: refused"
    assert "the API server answers again" in lines


def test_events_that_may_not_be_read_are_left_out() -> None:
    lines = plain(a_state(), Refused(ClusterRefused("403 forbidden"), of_events=True), Seen(DONE))
    assert lines[0] == "Events are left out: 403 forbidden"


def test_a_job_that_may_not_be_read_ends_the_watch() -> None:
    with pytest.raises(ClusterRefused, match="forbidden"):
        plain(a_state(), Refused(ClusterRefused("403 forbidden"), of_events=False))


@pytest.mark.parametrize(("replaced", "words"), [(False, "was deleted while"), (True, "was deleted and created again")])
def test_a_deleted_job_ends_the_watch(replaced: bool, words: str) -> None:
    with pytest.raises(SetupError, match=words):
        plain(a_state(), Gone(replaced))


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (DONE, ExitCode.OK),
        (a_state("PartiallyCompleted", "True"), ExitCode.PARTIAL),
        (a_state("InputNotFound", "False"), ExitCode.FAILED),
        (a_state("Fallen", "False"), ExitCode.FAILED),
    ],
)
def test_a_watch_has_the_exit_code_that_a_run_would_have(job: JobState, code: ExitCode) -> None:
    assert exit_code_of(job) is code


def test_the_live_view_has_state_reason_time_progress_and_conditions() -> None:
    job = replace(WAITING, started_s=1000.0, progress=a_state(progress=PROGRESS).progress)
    text = io.StringIO()
    Console(file=text, width=120, color_system=None).print(watch_view(job, now_s=1200.0))
    shown = text.getvalue()
    for words in (
        "team-a/entrance  ProvisioningGPU  for 3 min 20 s",
        "the inference server waits for a node",
        "300/900 frames  1/3 segments",
        "33%",
        "CapacityReady  no",
        "karpenter: no instance type has room",
    ):
        assert words in shown


def shown_end(job: JobState, access: Access) -> str:
    text = io.StringIO()
    show_end(Console(file=text, width=200), job, access)
    return text.getvalue()


def test_the_end_says_where_the_results_are_and_how_to_read_them() -> None:
    job = replace(DONE, table="videojob-results", progress=a_state(progress=PROGRESS).progress, ended_s=1764064860.0)
    shown = shown_end(job, Access())
    assert "results  DynamoDB table videojob-results" in shown
    assert "videojob results entrance -n team-a --cluster" in shown
    assert "300/900 frames, 1/3 segments in" in shown


def test_the_end_of_a_failed_job_says_why_and_where_to_look() -> None:
    shown = shown_end(
        a_state("InputNotFound", "False", message="no such key (s3://b/k). Check."), Access(context="eks")
    )
    assert "InputNotFound\n  no such key (s3://b/k). Check." in shown
    assert "videojob logs entrance -n team-a --context eks" in shown


def test_the_document_of_an_end_has_all_that_was_shown() -> None:
    later = Happened("2026-11-25T11:00:00Z", "Normal", "Completed", "done")
    document = end_document(replace(DONE, table="t"), [later, event("Processing")])
    assert document["state"] == "Completed"
    assert document["succeeded"] is True
    assert document["results"] == "DynamoDB table t"
    assert [one["reason"] for one in document["events"]] == ["Processing", "Completed"]


@pytest.mark.parametrize(
    ("spec", "changed", "words"),
    [
        ({"suspend": True}, True, "team-a/entrance is suspended: its pods finish their segments"),
        ({"suspend": True}, False, "team-a/entrance was suspended already; 1 of 3 segments are done and kept."),
        ({}, True, "team-a/entrance resumes where it stopped."),
        ({}, False, "team-a/entrance was not suspended: Processing."),
    ],
)
def test_suspend_and_resume_say_what_happened(spec: dict[str, bool], changed: bool, words: str) -> None:
    assert hold_text(a_state(spec=spec, progress=PROGRESS), Access(), changed=changed).startswith(words)


def test_a_resume_of_a_failed_job_says_what_is_kept() -> None:
    job = a_state(spec={"resumes": 1}, progress=PROGRESS)
    words = hold_text(job, Access(), changed=True, failed=True)
    assert words.startswith("team-a/entrance resumes; 1 of 3 segments are done and kept.")


def test_a_job_in_a_queue_goes_on_when_kueue_lets_it() -> None:
    job = a_state(metadata={"labels": {"kueue.x-k8s.io/queue-name": "gpus"}})
    assert "as soon as Kueue admits it to the queue gpus" in hold_text(job, Access(), changed=True)


def test_a_command_that_is_shown_leads_to_the_same_cluster() -> None:
    assert (
        command_line("watch", DONE, Access(context="my eks")) == "videojob watch entrance -n team-a --context 'my eks'"
    )
    assert command_line("results", DONE, Access(context="eks")) == "videojob results entrance -n team-a --context eks"
