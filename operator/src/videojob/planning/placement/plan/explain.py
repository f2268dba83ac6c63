"""A plan as text. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from videojob.planning.cost.price import PriceSource
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.search import Question

_CENT = Decimal("0.01")


def dollars(usd: Decimal) -> str:
    """For people: two digits of cents where that says enough, else two digits that count."""
    if usd >= Decimal("0.1") or usd <= 0:
        return f"${usd.quantize(_CENT, ROUND_HALF_UP)}"
    digits = max(2, 1 - usd.adjusted())
    return f"${usd.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def duration(seconds: float) -> str:
    """For people: seconds, minutes or hours, two digits or so."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def hardware(outcome: Outcome) -> str:
    """What runs, in a few words: "2 x g4dn.xlarge (spot) and 3 x c7g.large (spot)"."""
    way = outcome.way
    if way.warm is not None:
        text = f"a server that runs already on {way.server.type.name} ({way.server.capacity_type})"
    else:
        text = f"{outcome.server_nodes} x {way.server.type.name} ({way.server.capacity_type})"
    if way.workers is not None and outcome.worker_nodes:
        text += f" and {outcome.worker_nodes} x {way.workers.type.name} ({way.workers.capacity_type})"
    return text


def in_two_sentences(plan: Plan, question: Question) -> str:
    """What is chosen and why; then what was next best."""
    chosen = plan.chosen
    what = "The cheapest" if question.allowed.deadline_s is None else "The cheapest that meets the deadline"
    first = f"{what} is {hardware(chosen)}: {dollars(chosen.usd)}, done in about {duration(chosen.ends_s)}."
    if not plan.runners_up:
        return f"{first} Nothing else can run the job."
    other = plan.runners_up[0]
    return f"{first} Next is {hardware(other.outcome)}: it {other.why}."


def notices(plan: Plan, question: Question, now_s: float) -> list[str]:
    """How far the figures can be trusted, a sentence each."""
    price = plan.chosen.way.server.price
    words = list(question.offers.notices)
    days = price.age_s(now_s) // 86_400
    if price.source is PriceSource.STATIC:
        words.append(f"Prices are of the static table, {days} days old; AWS may charge others now.")
    if price.precision.value != "this zone":
        words.append(f"The price of {plan.chosen.way.server.type.name} is of {price.precision.value}.")
    way = plan.chosen.way
    rate = question.speeds.replica(question.work.models[way.accelerator], way.server.type)
    if rate is not None:
        words.append(
            f"One replica is expected to answer {rate.mean:.0f} frames/s ({rate.low:.0f} to {rate.high:.0f}), "
            f"{rate.origin.value}{f': {rate.note}' if rate.note else ''}."
        )
    return words
