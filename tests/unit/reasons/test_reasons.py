"""The one table of reasons: advice is true in its place, and errors, statuses and pages take it from there."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.tree import ROOT
from videojob import errors
from videojob.api.loading.problems import ManifestProblems
from videojob.api.schema.reference import reference_markdown
from videojob.planning.diagnosis.messages import described
from videojob.planning.lifecycle.conditions import fails, fails_with
from videojob.reasons import REASONS, Phase, Reason, Where, settle_on
from videojob.reasons.guide import BEGIN, END, guide_with_reasons
from videojob.reasons.row import ONLY_ON_A_CLUSTER, ONLY_ON_ONE_MACHINE

GUIDE = ROOT / "docs/guides/troubleshooting.md"
FALSE_ON_A_CLUSTER = re.compile(
    r"\braise (it|activeDeadlineSeconds)|run (it|the job) again|--workers|--output", re.IGNORECASE
)
"""There a failed VideoJob is resumed by a command, most of its spec is fixed, and workers are not options of one."""
EVERY = pytest.mark.parametrize("one", REASONS.values(), ids=lambda one: one.word)


def all_errors(kind: type[errors.VideoJobError] = errors.VideoJobError) -> list[type[errors.VideoJobError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in all_errors(child))]


PLAIN_ERRORS = [kind for kind in all_errors() if kind is not ManifestProblems]  # that one has a hint of its own
WITHOUT_HINT = pytest.mark.parametrize("kind", PLAIN_ERRORS, ids=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_row(kind: type[errors.VideoJobError]) -> None:
    row = REASONS[kind.reason]
    assert row.phase is Phase.FAILED
    assert "" not in {row.meaning, row.machine, row.cluster}


@EVERY
def test_every_reason_says_what_it_means_and_what_to_do_in_both_places(one: Reason) -> None:
    assert one.word.isalnum()
    assert one.word[0].isupper()
    for text in (one.meaning, one.machine, one.cluster):
        assert text.endswith(".")
        assert text == text.strip()
    assert one.details == "" or (one.details.endswith("\n") and not one.details.startswith("\n"))


@EVERY
def test_no_reason_promises_on_a_cluster_what_is_true_on_one_machine_only(one: Reason) -> None:
    assert not FALSE_ON_A_CLUSTER.search(one.cluster)
    assert "are kept" not in one.cluster or "videojob resume NAME" in one.cluster, "segments of a new VideoJob are not"


@EVERY
def test_a_reason_occurs_somewhere(one: Reason) -> None:
    assert (one.machine, one.cluster) != (ONLY_ON_A_CLUSTER, ONLY_ON_ONE_MACHINE)


@EVERY
def test_the_guide_and_the_reference_have_every_reason_with_its_advice(one: Reason) -> None:
    _, _, rest = GUIDE.read_text(encoding="utf-8").partition(f"\n## {one.word}\n")
    section = rest.partition("\n## ")[0]
    row = next(line for line in reference_markdown().splitlines() if line.startswith(f"| `{one.word}` | "))
    for text in (one.meaning, one.machine, one.cluster):
        assert text in section
        assert text in row


def test_the_guide_keeps_what_people_wrote_around_the_reasons() -> None:
    page = f"# Before\n\n{BEGIN}old\n{END}\nAfter\n"
    made = guide_with_reasons(page)
    assert made.startswith(f"# Before\n\n{BEGIN}\n## Aggregating\n")
    assert made.endswith(f"{END}\nAfter\n")
    assert guide_with_reasons(made) == made
    with pytest.raises(ValueError, match="marks"):
        guide_with_reasons("# Without marks\n")


def test_an_error_gives_the_advice_of_the_place_that_its_process_is_about() -> None:
    error = errors.DeadlineExceeded("the run took longer than 60 s")
    assert str(error) == (
        "DeadlineExceeded: the run took longer than 60 s. Raise activeDeadlineSeconds and run it again: "
        "finished segments are kept. (not retryable)"
    )
    settle_on(Where.CLUSTER)
    assert str(error) == (
        "DeadlineExceeded: the run took longer than 60 s. Resume the VideoJob, if need be with a higher limit: "
        "`videojob resume NAME --active-deadline-seconds N`. Finished segments are kept. (not retryable)"
    )
    assert error.as_shown()["hint"] == REASONS["DeadlineExceeded"].cluster


def test_a_hint_of_its_own_goes_before_the_advice_of_the_reason_everywhere() -> None:
    error = errors.InputNotFound("gone", hint="Check the address.")
    assert {error.advice(where) for where in Where} == {"Check the address."}
    assert error.as_dict()["hint"] == error.as_shown()["hint"] == "Check the address."
    assert errors.InputNotFound("gone", hint="").hint == ""


@WITHOUT_HINT
def test_an_error_crosses_to_another_place_without_the_advice_of_its_own(kind: type[errors.VideoJobError]) -> None:
    stored = kind("it broke", uri="a.mp4", segment=3).as_dict()
    assert stored["hint"] == ""
    settle_on(Where.CLUSTER)
    assert errors.error_from_dict(stored).hint == REASONS[kind.reason].cluster


def test_an_error_that_the_previous_release_stored_keeps_its_words() -> None:
    old: dict[str, Any] = {"reason": "InputNotFound", "message": "gone", "uri": "a.mp4", "segment": None}
    old |= {"time_ms": None, "hint": "Check the path or key, and that this identity may read it.", "retryable": False}
    assert errors.error_from_dict(old).hint == old["hint"]


FAILURES = [one for one in REASONS.values() if one.phase is Phase.FAILED]


@pytest.mark.parametrize("one", FAILURES, ids=lambda one: one.word)
def test_the_status_of_a_failed_job_advises_what_is_true_on_a_cluster(one: Reason) -> None:
    stored = {"reason": one.word, "message": "it broke", "uri": "s3://clips/a.mp4", "segment": 3, "hint": ""}
    assert fails(one.word, "it broke").message == f"it broke. {one.cluster}"
    assert fails_with(stored).message == f"it broke (s3://clips/a.mp4, segment 3). {one.cluster}"


@WITHOUT_HINT
def test_what_the_controller_says_of_an_error_is_advice_for_a_cluster_whoever_asks(
    kind: type[errors.VideoJobError],
) -> None:
    assert described(kind("it broke")) == f"it broke. {REASONS[kind.reason].cluster}"
