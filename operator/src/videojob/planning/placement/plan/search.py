"""Tries the ways to run a job. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.placement.plan.bounds import Bounds
from videojob.planning.placement.plan.candidates import (
    Candidate,
    best_workers,
    hardware_of,
    most_replicas,
    scaled_for_auto_mode,
    servers,
    workers,
)
from videojob.planning.placement.plan.option import Evaluator, Outcome, Way
from videojob.planning.placement.plan.race import Entry, Kind, contenders, is_feasible
from videojob.planning.placement.plan.surroundings import Allowed, Surroundings
from videojob.planning.placement.plan.workload import Workload
from videojob.planning.throughput.lookup import Speeds

_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Question:
    """All that a plan depends on.

    Attributes:
        work: the job. allowed: by its spec. around: the cluster and its account.
        offers: every offer. small: small prices. speeds: the catalogue.
    """

    work: Workload
    allowed: Allowed
    around: Surroundings
    offers: OfferTable
    small: SmallPrices
    speeds: Speeds


def outcomes(question: Question, *, prune: bool = True) -> list[Outcome]:
    """What every way comes to, feasible or not.

    Args:
        question: see `Question`.
        prune: leave out what cannot win; False tries everything, for the test that both agree.
    """
    around, allowed = question.around, question.allowed
    offers = _with_fee(question)
    evaluator = Evaluator(question.work, around, question.speeds, question.small)
    candidates = servers(offers, around, allowed)
    decoders = workers(offers, around, allowed)
    joined = list(_joined(question, evaluator, offers, decoders))
    if prune:
        decoders = best_workers(decoders, lambda one: evaluator.decode_vcpu_s(one.type))
        found = [*_contenders(question, evaluator, candidates, decoders), *joined]
        if any(is_feasible(one, allowed) for one in found):
            return found
    # What nothing meets is explained with all there is.
    found = []
    for one in candidates:
        near = _near(one.offer.zone, decoders)
        known = (with_best_workers(evaluator, way, near) for way in _ways_of(question, evaluator, one))
        found += [outcome for outcome in known if outcome is not None]
    return found + joined


def _contenders(
    question: Question, evaluator: Evaluator, candidates: Sequence[Candidate], decoders: Sequence[Offer]
) -> list[Outcome]:
    """Every outcome that a plan can name: chosen, within a tie of it, fallback, or runner-up."""
    allowed = question.allowed
    near = {zone: _near(zone, decoders) for zone in {one.offer.zone for one in candidates}}
    bounds = Bounds(evaluator, near)
    deadline_s = allowed.deadline_s
    budget_usd = math.inf if allowed.max_usd is None else float(allowed.max_usd)
    entries = []
    for one in candidates:
        kind = one.hardware, one.offer.capacity_type
        for way in _ways_of(question, evaluator, one):
            least_usd = bounds.least_usd(way)
            if least_usd < math.inf:
                in_time = deadline_s is None or bounds.soonest_p90_s(way) <= deadline_s
                entries.append(Entry(least_usd, kind, way, in_time and least_usd <= budget_usd))
    return contenders(entries, lambda way: with_best_workers(evaluator, way, near[way.server.zone]), allowed)


def members_of(question: Question, first: Outcome) -> Iterator[Outcome]:
    """The same number of replicas on all other offers of the same hardware and capacity type."""
    allowed, around = question.allowed, question.around
    offers = _with_fee(question)
    evaluator = Evaluator(question.work, around, question.speeds, question.small)
    decoders = best_workers(workers(offers, around, allowed), lambda one: evaluator.decode_vcpu_s(one.type))
    own = kind_of(first)
    alike = (one for one in offers if (hardware_of(first.way.accelerator, one.type), one.capacity_type) == own)
    for one in servers(alike, around, allowed):
        if one.accelerator != first.way.accelerator or one.offer == first.way.server:
            continue
        way = Way(one.accelerator, one.offer, first.way.replicas)
        if most_replicas(one, around, allowed, evaluator.replicas_on(way)) >= way.replicas:
            outcome = with_best_workers(evaluator, way, _near(one.offer.zone, decoders))
            if outcome is not None:
                yield outcome


def _with_fee(question: Question) -> tuple[Offer, ...]:
    if not question.around.auto_mode:
        return question.offers.offers
    return tuple(scaled_for_auto_mode(question.offers.offers, question.small.auto_mode_share_of_on_demand))


def _ways_of(question: Question, evaluator: Evaluator, candidate: Candidate) -> Iterator[Way]:
    """A way for each number of replicas."""
    way = Way(candidate.accelerator, candidate.offer, 1)
    most = most_replicas(candidate, question.around, question.allowed, evaluator.replicas_on(way))
    for count in range(1, most + 1):
        yield Way(candidate.accelerator, candidate.offer, count)


def with_best_workers(evaluator: Evaluator, way: Way, decoders: Sequence[Offer]) -> Outcome | None:
    """A way with the workers that make it cheapest; without any where the server's own nodes suffice.

    Args:
        evaluator: works ways out.
        way: without workers.
        decoders: that may feed it.
    """
    alone = evaluator.outcome(way)
    if alone is not None:
        return alone
    ways = [replace(way, workers=one) for one in decoders]
    rough = [(usd, one) for usd, one in ((evaluator.rough_usd(one), one) for one in ways) if usd is not None]
    least = min((usd for usd, _ in rough), default=0.0)
    found = [evaluator.outcome(one) for usd, one in rough if usd <= least * _ROUNDING]
    return min((one for one in found if one is not None), key=cheapest, default=None)


def _near(zone: str, decoders: Sequence[Offer]) -> Sequence[Offer]:
    """Offers of nodes whose workers feed servers in a zone: only those there, if there are any."""
    return [one for one in decoders if not zone or one.zone in {"", zone}] or decoders


def _joined(
    question: Question, evaluator: Evaluator, offers: Iterable[Offer], decoders: Sequence[Offer]
) -> Iterator[Outcome]:
    """Servers that are there already."""
    offers = tuple(offers)
    for warm in question.around.warm:
        same = [one for one in offers if (one.type.name, one.capacity_type) == (warm.instance_type, warm.capacity_type)]
        # Before its node is there, nobody knows its zone: it may be the cheapest.
        there = [one for one in same if not warm.zone or one.zone in {warm.zone, ""}]
        offer = min(there, key=lambda one: one.price.usd_per_h, default=None)
        if offer is None:
            continue
        accelerator = "gpu" if offer.type.gpu else "cpu"
        if accelerator not in question.around.replica or accelerator not in question.allowed.accelerators:
            continue
        way = Way(accelerator, offer, warm.replicas, warm=warm)
        best = with_best_workers(evaluator, way, _near(offer.zone, decoders))
        if best is not None:
            yield best


def kind_of(outcome: Outcome) -> Kind:
    """What one wins or loses as."""
    return hardware_of(outcome.way.accelerator, outcome.way.server.type), outcome.way.server.capacity_type


def cheapest(outcome: Outcome) -> tuple[Decimal, float, str, str]:
    """Sorts by the expected cost; of equal ones the earlier end, then names."""
    way = outcome.way
    return outcome.usd, outcome.ends_s, way.server.type.name, "" if way.workers is None else way.workers.type.name
