"""A plan as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from videojob.planning.cost.offers import Offer
from videojob.planning.cost.price import Precision, PriceSource
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.units import dollars, duration


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


def _about_price(offer: Offer, now_s: float) -> Iterator[str]:
    """What a price was made of where it is not the one of its zone, and how old it is where it is of the table."""
    price, is_static = offer.price, offer.price.source is PriceSource.STATIC
    made = "the average of its region's zones" if is_static else "that of another zone"
    of = {
        Precision.OTHER_ZONE: made,
        Precision.OTHER_REGION: "scaled from another region",
        Precision.FAMILY_SHARE: "its on-demand price times the usual spot share of its family",
    }
    facts = [of[price.precision]] if price.precision in of else []
    if is_static:
        facts.append(f"{price.age_s(now_s) // 86_400:,} days old")
    if facts:
        warning = "; AWS may charge another one now" if is_static else ""
        yield f"The {offer.capacity_type} price of {offer.type.name} is {' and '.join(facts)}{warning}."


def notices(plan: Plan, question: Question, now_s: float) -> list[str]:
    """How far the figures can be trusted, a sentence each."""
    way = plan.chosen.way
    words = [*question.offers.notices, *_about_price(way.server, now_s)]
    rate = question.speeds.replica(question.work.models[way.accelerator], way.server.type)
    if rate is not None:
        words.append(
            f"One replica is expected to answer {rate.mean:,.0f} frames/s ({rate.low:,.0f} to {rate.high:,.0f}), "
            f"{rate.origin.value}{f': {rate.note}' if rate.note else ''}."
        )
    return words
