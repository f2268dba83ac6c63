"""Tries the ways to run a job. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.installation import CapacityType
from videojob.planning.placement.plan.candidates import (
    Candidate,
    best_servers,
    best_workers,
    hardware_of,
    most_replicas,
    scaled_for_auto_mode,
    servers,
    workers,
)
from videojob.planning.placement.plan.option import Evaluator, Outcome, Way
from videojob.planning.placement.plan.surroundings import Allowed, Surroundings
from videojob.planning.placement.plan.workload import Workload
from videojob.planning.throughput.lookup import Speeds

Kind = tuple[str, CapacityType]
"""The GPU's model or the family of CPUs, and how it is paid for."""


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


def is_feasible(outcome: Outcome, allowed: Allowed) -> bool:
    """Whether it meets deadline and budget in nine of ten cases."""
    in_time = allowed.deadline_s is None or outcome.ends_p90_s <= allowed.deadline_s
    return in_time and (allowed.max_usd is None or outcome.usd_p90 <= allowed.max_usd)


def outcomes(question: Question, *, prune: bool = True) -> list[Outcome]:
    """What every way comes to, feasible or not.

    Args:
        question: see `Question`.
        prune: leave out what cannot win; False tries everything, for the test that both agree.
    """
    around, allowed = question.around, question.allowed
    offers = _with_fee(question)
    evaluator = Evaluator(question.work, around, question.speeds, question.small)
    candidates: Sequence[Candidate] = servers(offers, around, allowed)
    decoders: Sequence[Offer] = workers(offers, around, allowed)
    if prune:
        candidates = best_servers(candidates, lambda one: _merits(question, evaluator, one))
        decoders = best_workers(decoders, lambda one: _decoding(question, one))
    found: list[Outcome] = []
    for one in candidates:
        found += _of_candidate(question, evaluator, one, decoders)
    found += _joined(question, evaluator, offers, decoders)
    return found


def members_of(question: Question, first: Outcome) -> Iterator[Outcome]:
    """The same number of replicas on all other offers of the same hardware and capacity type."""
    allowed, around = question.allowed, question.around
    offers = _with_fee(question)
    evaluator = Evaluator(question.work, around, question.speeds, question.small)
    decoders = best_workers(workers(offers, around, allowed), lambda one: _decoding(question, one))
    own = kind_of(first)
    for one in servers(offers, around, allowed):
        if (one.hardware, one.offer.capacity_type) != own or one.offer == first.way.server:
            continue
        way = Way(one.accelerator, one.offer, first.way.replicas)
        if most_replicas(one, around, allowed, evaluator.replicas_on(way)) >= way.replicas:
            outcome = with_best_workers(evaluator, way, decoders)
            if outcome is not None:
                yield outcome


def _with_fee(question: Question) -> tuple[Offer, ...]:
    if not question.around.auto_mode:
        return question.offers.offers
    return tuple(scaled_for_auto_mode(question.offers.offers, question.small.auto_mode_share_of_on_demand))


def _of_candidate(
    question: Question, evaluator: Evaluator, candidate: Candidate, decoders: Sequence[Offer]
) -> Iterator[Outcome]:
    """The best of a candidate for each number of replicas."""
    way = Way(candidate.accelerator, candidate.offer, 1)
    most = most_replicas(candidate, question.around, question.allowed, evaluator.replicas_on(way))
    for count in range(1, most + 1):
        best = with_best_workers(evaluator, replace(way, replicas=count), decoders)
        if best is not None:
            yield best


def with_best_workers(evaluator: Evaluator, way: Way, decoders: Sequence[Offer]) -> Outcome | None:
    """A way with the workers that make it cheapest; without any where the server's own nodes suffice."""
    alone = evaluator.outcome(way)
    if alone is not None:
        return alone
    near = [one for one in decoders if not way.server.zone or one.zone in {"", way.server.zone}] or decoders
    found = (evaluator.outcome(replace(way, workers=one)) for one in near)
    return min((one for one in found if one is not None), key=cheapest, default=None)


def _joined(
    question: Question, evaluator: Evaluator, offers: Iterable[Offer], decoders: Sequence[Offer]
) -> Iterator[Outcome]:
    """Servers that are there already."""
    by_place = {(one.type.name, one.capacity_type, one.zone): one for one in offers}
    for warm in question.around.warm:
        offer = by_place.get((warm.instance_type, warm.capacity_type, warm.zone)) or by_place.get(
            (warm.instance_type, warm.capacity_type, "")
        )
        if offer is None:
            continue
        accelerator = "gpu" if offer.type.gpu else "cpu"
        if accelerator not in question.around.replica or accelerator not in question.allowed.accelerators:
            continue
        best = with_best_workers(evaluator, Way(accelerator, offer, warm.replicas, warm=warm), decoders)
        if best is not None:
            yield best


def _merits(
    question: Question, evaluator: Evaluator, candidate: Candidate
) -> tuple[float, float, float, float, int] | None:
    model = question.work.models[candidate.accelerator]
    rate = question.speeds.replica(model, candidate.offer.type)
    if rate is None:
        return None
    start = question.speeds.start(model, candidate.offer.type)
    parts = [one for one in (start.node, start.image, start.model, start.engine) if one is not None]
    mean_s, high_s = sum(one.mean for one in parts), sum(one.high for one in parts)
    per_node = evaluator.replicas_on(Way(candidate.accelerator, candidate.offer, 1))
    return rate.mean, rate.low, mean_s, high_s, per_node


def _decoding(question: Question, offer: Offer) -> tuple[float, float]:
    """Videos' frames that one vCPU decodes per second, expected and pessimistic: a mean over all."""
    mean = low = 0.0
    for one in question.work.decodings:
        rate = question.speeds.decode(one.kind, offer.type)
        mean, low = mean + one.frames / rate.mean, low + one.frames / rate.low
    return -mean, -low


def kind_of(outcome: Outcome) -> Kind:
    """What one wins or loses as."""
    return hardware_of(outcome.way.accelerator, outcome.way.server.type), outcome.way.server.capacity_type


def cheapest(outcome: Outcome) -> tuple[Decimal, float, str, str]:
    """Sorts by the expected cost; of equal ones the earlier end, then names."""
    way = outcome.way
    return outcome.usd, outcome.ends_s, way.server.type.name, "" if way.workers is None else way.workers.type.name
