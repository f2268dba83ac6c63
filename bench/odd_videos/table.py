"""Verdicts as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.odd_videos.cases import Case, Refused, Verdict
from bench.odd_videos.manifests import Answer
from bench.table import markdown

_HEADINGS = ("kind", "file", "what is odd", "truth", "found", "right")
_MANIFEST_HEADINGS = ("manifest", "what would be right", "`videojob validate` says", "right")


def markdown_table(verdicts: Sequence[Verdict]) -> str:
    """A line for each case."""
    return markdown(_HEADINGS, [_line(verdict) for verdict in verdicts], frozenset())


def manifests_table(answers: Sequence[Answer]) -> str:
    """A line for each manifest; whether one of others is right, a reader judges."""
    right = {True: "yes", False: "**NO**", None: ""}
    lines = [(f"`{one.name}`", one.expected, one.said, right[one.right]) for one in answers]
    return markdown(_MANIFEST_HEADINGS, lines, frozenset())


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many are right, as text."""
    right = sum(not verdict.differences for verdict in verdicts)
    return f"{right} of {len(verdicts)} cases are right"


def _line(verdict: Verdict) -> tuple[str, ...]:
    case = verdict.case
    right = "yes" if not verdict.differences else f"**NO**: {'; '.join(verdict.differences)}"
    return case.kind, f"`{case.name}`", case.what, _truth_words(case), verdict.found, right


def _truth_words(case: Case) -> str:
    truth = case.truth
    if isinstance(truth, Refused):
        return "; ".join([f"`{truth.reason}`" if truth.reason else "a refusal", *truth.words])
    words = [f"{truth.frames} frames"]
    if truth.presence is not None:
        words.append(f"{sum(map(len, truth.presence.values()))} times of presence")
    if truth.has_gaps:
        words.append("each one counts or lies in a named gap" if truth.pictures else "a named gap")
    if truth.may_be_refused:
        words.append("or a refusal")
    if truth.notice:
        words.append(f"notice: {truth.notice}")
    return "; ".join(words)
