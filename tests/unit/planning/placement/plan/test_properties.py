"""What holds of every plan, by random search with fixed seeds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from support.plan_questions import AROUND, SMALL, KnownSpeeds, market, question
from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.placement.plan.bounds import Bounds
from videojob.planning.placement.plan.candidates import workers
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.option import Evaluator
from videojob.planning.placement.plan.race import TIE
from videojob.planning.placement.plan.search import Question, outcomes
from videojob.planning.placement.plan.surroundings import Allowed, WarmServer

SEEDS = range(40)


def priced(one: Offer, factor: Decimal) -> Offer:
    return replace(one, price=replace(one.price, usd_per_h=one.price.usd_per_h * factor))


def any_question(seed: int) -> Question:
    """Any market, any job, any constraints."""
    dice = random.Random(seed)
    zones = dice.choice([("",), ("a", "b")])
    offers = [
        replace(priced(one, Decimal(dice.choice(["0.7", "1", "1.5"]))), is_available=dice.choice([None, True, True]))
        for one in market(zones).offers
        if dice.random() < 0.8
    ]
    frames = int(10 ** dice.uniform(2, 6.5))
    allowed = Allowed(
        accelerators=dice.choice([("cpu", "gpu"), ("cpu", "gpu"), ("gpu",), ("cpu",)]),
        deadline_s=dice.choice([None, None, dice.uniform(100, 5000)]),
        max_usd=dice.choice([None, None, Decimal(dice.randint(1, 300)) / 100]),
        gpus=dice.choice([None, None, 2]),
    )
    around = replace(
        AROUND,
        workers_share_gpu_nodes=dice.random() < 0.5,
        quota_vcpus=dice.choice([{}, {("g", "spot"): 8}, {("standard", "spot"): 16}]),
    )
    speeds = KnownSpeeds(decode_per_s=dice.choice([30.0, 105.0, 900.0]), start_s=dice.choice([20.0, 150.0, 390.0]))
    return question(frames, allowed, around=around, offers=OfferTable("r", tuple(offers)), speeds=speeds)


def cost(asked: Question) -> Decimal | None:
    found = make_plan(asked)
    return found.chosen.usd if isinstance(found, Plan) else None


def identity(asked: Question, *, prune: bool = True) -> object:
    found = make_plan(asked, prune=prune)
    if not isinstance(found, Plan):
        return None
    way = found.chosen.way
    workers = None if way.workers is None else (way.workers.type.name, way.workers.zone, way.workers.capacity_type)
    return way.server.type.name, way.server.zone, way.server.capacity_type, way.replicas, workers, found.chosen.usd


def with_allowed(asked: Question, **changes: object) -> Question:
    allowed: Allowed = replace(asked.allowed, **changes)  # type: ignore[arg-type]
    return replace(asked, allowed=allowed)


def later(asked: Question) -> Question:
    return with_allowed(asked, deadline_s=None if asked.allowed.deadline_s is None else asked.allowed.deadline_s * 1.5)


def richer(asked: Question) -> Question:
    return with_allowed(asked, max_usd=None if asked.allowed.max_usd is None else asked.allowed.max_usd * 2)


def cheaper(asked: Question) -> Question:
    offers = asked.offers.offers
    return replace(asked, offers=OfferTable("r", (priced(offers[0], Decimal("0.8")), *offers[1:])))


def one_more(asked: Question) -> Question:
    have = {(one.type.name, one.zone, one.capacity_type) for one in asked.offers.offers}
    zones = tuple(sorted({one.zone for one in asked.offers.offers}))
    more = next((o for o in market(zones).offers if (o.type.name, o.zone, o.capacity_type) not in have), None)
    return asked if more is None else replace(asked, offers=OfferTable("r", (*asked.offers.offers, more)))


def more_quota(asked: Question) -> Question:
    return replace(asked, around=replace(asked.around, quota_vcpus={}))


def warmer(asked: Question) -> Question:
    zone = asked.offers.offers[0].zone
    return replace(asked, around=replace(asked.around, warm=(WarmServer("g4dn.xlarge", "spot", zone, 1),)))


@pytest.mark.parametrize("change", [later, richer, cheaper, one_more, more_quota, warmer])
def test_more_freedom_never_makes_a_plan_dearer_beyond_a_tie(change: Callable[[Question], Question]) -> None:
    planned = 0
    for seed in SEEDS:
        asked = any_question(seed)
        before, after = cost(asked), cost(change(asked))
        if before is not None:
            planned += 1
            assert after is not None, seed
            assert after <= before * TIE, seed
    assert planned > len(SEEDS) / 3


def test_prices_and_budget_times_k_change_no_choice() -> None:
    k = Decimal("3.7")
    for seed in SEEDS:
        asked = any_question(seed)
        numbers = {
            name: getattr(SMALL, name) * k
            for name in SmallPrices.__slots__
            if name.endswith("_usd_per_h") or "_usd_per_" in name
        }
        dearer = replace(
            asked,
            offers=OfferTable("r", tuple(priced(one, k) for one in asked.offers.offers)),
            small=replace(SMALL, **numbers),
        )
        if asked.allowed.max_usd is not None:
            dearer = with_allowed(dearer, max_usd=asked.allowed.max_usd * k)
        ours, theirs = identity(asked), identity(dearer)
        assert (ours is None) == (theirs is None), seed
        if isinstance(ours, tuple) and isinstance(theirs, tuple):
            assert ours[:-1] == theirs[:-1], seed


def named(asked: Question, *, prune: bool) -> object:
    """All that a plan says beside its choice."""
    found = make_plan(asked, prune=prune)
    if not isinstance(found, Plan):
        return found.changes
    rivals = [(one.outcome.way.server.type.name, one.outcome.usd, one.why) for one in found.runners_up]
    fallback = None if found.fallback is None else found.fallback.usd
    return rivals, fallback, found.fallback_after_s, found.usd_low, found.usd_high, found.ties


@pytest.mark.parametrize("first", [100, 110])
def test_runners_up_fallback_and_range_are_those_of_trying_everything(first: int) -> None:
    for seed in range(first, first + 10):
        assert named(any_question(seed), prune=True) == named(any_question(seed), prune=False), seed


def test_no_way_costs_less_or_ends_earlier_than_its_bounds_and_the_rough_cost_is_the_cost() -> None:
    for seed in range(200, 206):
        asked = any_question(seed)
        evaluator = Evaluator(asked.work, asked.around, asked.speeds, asked.small)
        decoders = workers(asked.offers.offers, asked.around, asked.allowed)
        bounds = Bounds(evaluator, dict.fromkeys(("", "a", "b"), decoders))
        for one in outcomes(asked, prune=False):
            alone = replace(one.way, workers=None)
            assert bounds.least_usd(alone) <= float(one.usd), (seed, one.way)
            assert bounds.soonest_p90_s(alone) <= one.ends_p90_s, (seed, one.way)
            assert evaluator.rough_usd(one.way) == pytest.approx(float(one.usd), rel=1e-9), (seed, one.way)


@pytest.mark.parametrize("first", [0, 10, 20, 30])
def test_leaving_out_what_cannot_win_gives_the_same_choice_as_trying_everything(first: int) -> None:
    for seed in range(first, first + 10):
        assert identity(any_question(seed)) == identity(any_question(seed), prune=False), seed


def test_the_same_question_has_the_same_answer_whatever_the_order_of_offers() -> None:
    for seed in SEEDS:
        asked = any_question(seed)
        offers = list(asked.offers.offers)
        random.Random(seed).shuffle(offers)
        assert identity(asked) == identity(replace(asked, offers=OfferTable("r", tuple(offers)))), seed
