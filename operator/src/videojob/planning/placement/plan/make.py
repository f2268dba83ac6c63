"""From a question to a plan. Pure."""

from __future__ import annotations

from videojob.planning.placement.plan.choose import Plan, choose
from videojob.planning.placement.plan.relax import NoPlan, no_plan
from videojob.planning.placement.plan.search import Question, outcomes


def make_plan(question: Question, *, prune: bool = True) -> Plan | NoPlan:
    """The plan of a job, or what would make one possible.

    Args:
        question: all that it depends on.
        prune: leave out what cannot win; False tries everything, for the test that both agree.
    """
    found = outcomes(question, prune=prune)
    return choose(question, found) or no_plan(question, found)
