"""From a question to a plan. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from videojob.planning.placement.plan.choose import Plan, choose
from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.relax import NoPlan, no_plan
from videojob.planning.placement.plan.search import Question, outcomes


def make_plan(question: Question, *, prune: bool = True) -> Plan | NoPlan:
    """The plan of a job, or what would make one possible.

    Args:
        question: all that it depends on.
        prune: leave out what cannot win; False tries everything, for the test that both agree.
    """
    return plan_among(question, outcomes(question, prune=prune))


def plan_among(question: Question, found: Sequence[Outcome]) -> Plan | NoPlan:
    """The same, where the question's `outcomes` are known already."""
    return choose(question, found) or no_plan(question, found)
