"""What `videojob estimate` compares a plan with, and how it tells how old a price is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from support.plan_questions import market, offer, question
from videojob.cli.laptop.estimate import comparisons
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import Precision, PriceSource
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.explain import notices
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.search import Question, outcomes
from videojob.planning.placement.plan.surroundings import Allowed

DAY_S = 86_400
OLD = "40 days old; AWS may charge another one now."
GPUS = Allowed(accelerators=("gpu",))


def test_without_spot_instances_nothing_is_spot_not_even_what_decodes() -> None:
    asked = question(90_000, GPUS)
    on_demand, always_on = comparisons(asked, outcomes(asked))
    assert on_demand is not None
    assert on_demand.way.workers is not None
    assert (on_demand.way.server.capacity_type, on_demand.way.workers.capacity_type) == ("on-demand", "on-demand")
    strict = replace(asked, allowed=replace(GPUS, capacity_types=("on-demand",)))
    assert on_demand.usd == min(one.usd for one in outcomes(strict))
    assert always_on == Decimal("0.526") * 730


@pytest.mark.parametrize("allowed", [Allowed(capacity_types=("spot",)), Allowed(instance_types=("none",))])
def test_what_the_job_does_not_allow_is_compared_with_nothing(allowed: Allowed) -> None:
    asked = question(300, allowed)
    assert comparisons(asked, outcomes(asked)) == (None, None)


def only(precision: Precision, source: PriceSource = PriceSource.STATIC) -> Question:
    """A question about one offer with a price of that kind."""
    base = offer("c7i.xlarge", "spot")
    one = replace(base, price=replace(base.price, precision=precision, source=source))
    return question(300, offers=OfferTable("us-east-1", (one,), types=market().types))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (only(Precision.THIS_ZONE), f"The spot price of c7i.xlarge is {OLD}"),
        (
            only(Precision.OTHER_ZONE),
            f"The spot price of c7i.xlarge is the average of its region's zones and {OLD}",
        ),
        (
            only(Precision.OTHER_REGION),
            f"The spot price of c7i.xlarge is scaled from another region and {OLD}",
        ),
        (
            only(Precision.FAMILY_SHARE),
            f"The spot price of c7i.xlarge is its on-demand price times the usual spot share of its family and {OLD}",
        ),
        (only(Precision.OTHER_ZONE, PriceSource.AWS), "The spot price of c7i.xlarge is that of another zone."),
        (only(Precision.THIS_ZONE, PriceSource.KARPENTER), None),
    ],
)
def test_a_price_says_what_it_was_made_of_and_how_old_it_is(asked: Question, words: str | None) -> None:
    plan = make_plan(asked)
    assert isinstance(plan, Plan)
    assert [one for one in notices(plan, asked, 40.0 * DAY_S) if "price" in one] == ([words] if words else [])


def test_amounts_and_times_of_runners_up_are_told_as_everywhere() -> None:
    asked = question(90_000, Allowed(deadline_s=1200, max_usd=Decimal("0.15")))
    plan = make_plan(asked)
    assert isinstance(plan, Plan)
    whys = [one.why for one in plan.runners_up]
    assert "may end 82 min after the deadline" in whys
    assert any(one.startswith("may cost $0.") and one.endswith(", more than the budget") for one in whys)
