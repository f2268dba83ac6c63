"""Which of very many ways a plan can name at all: they are worked out the most promising first, until the rest must
cost more. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from videojob.planning.installation import CapacityType
from videojob.planning.placement.plan.option import Outcome, Way
from videojob.planning.placement.plan.surroundings import Allowed

Kind = tuple[str, CapacityType]
"""The GPU's model or the family of CPUs, and how it is paid for."""
TIE = Decimal("1.03")
"""Ways that cost so many times as much as the cheapest are equal: what is warm or more certain wins."""
MOST_RUNNERS_UP = 10
LEAST_WAIT_S = 60.0
"""A fallback leaves at least so long for capacity to come."""
_CLEAR_OF_TIE = float(TIE) + 1e-9
_FALLBACKS = 2
"""Kinds that may be the fallback: one more than are needed, as one of them may be chosen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A way before it is worked out.

    Attributes:
        least_usd: it costs no less. may_meet: whether it may meet deadline and budget.
    """

    least_usd: float
    kind: Kind
    way: Way
    may_meet: bool


def is_feasible(outcome: Outcome, allowed: Allowed) -> bool:
    """Whether it meets deadline and budget in nine of ten cases."""
    in_time = allowed.deadline_s is None or outcome.ends_p90_s <= allowed.deadline_s
    return in_time and (allowed.max_usd is None or outcome.usd_p90 <= allowed.max_usd)


def is_patient(outcome: Outcome, allowed: Allowed) -> bool:
    """Whether it meets the deadline even if it is begun later."""
    return allowed.deadline_s is None or outcome.ends_p90_s + LEAST_WAIT_S <= allowed.deadline_s


def contenders(
    entries: Iterable[Entry], worked_out: Callable[[Way], Outcome | None], allowed: Allowed
) -> list[Outcome]:
    """Of all ways those that can be chosen, equal the chosen one, be the fallback, or be the best of a kind that is
    among the runners-up; some others may be among them.

    Args:
        entries: all ways.
        worked_out: what one comes to.
        allowed: by the job.
    """
    order = sorted(entries, key=_order)
    race = _Race(allowed, Counter(one.kind for one in order if one.may_meet), {one.kind for one in order})
    found: list[tuple[Kind, Outcome]] = []
    for one in order:
        if one.least_usd > race.over_at_usd:
            break
        if race.needs(one):
            outcome = worked_out(one.way)
            race.left[one.kind] -= one.may_meet
            if outcome is not None:
                found.append((one.kind, outcome))
                race.note(one.kind, outcome)
        else:
            race.left[one.kind] -= one.may_meet
    return [outcome for kind, outcome in found if kind in race.best or race.left[kind] <= 0]


@dataclass(slots=True)
class _Race:
    """How far it is.

    Attributes:
        allowed: by the job. left: ways by kind that may meet it and are still to come.
        kinds: all of them.
        best: US dollars of the cheapest by kind that meets deadline and budget; of a kind without, of the cheapest.
        patient: the same of those that may be the fallback.
        over_at_usd: ways that cost more can change nothing.
    """

    allowed: Allowed
    left: Counter[Kind]
    kinds: set[Kind]
    best: dict[Kind, float] = field(default_factory=dict)
    patient: dict[Kind, float] = field(default_factory=dict)
    over_at_usd: float = math.inf
    hopeful: frozenset[Kind] = frozenset()

    def __post_init__(self) -> None:
        self.hopeful = frozenset(self.left)

    def needs(self, one: Entry) -> bool:
        """Whether such a way can still matter for its kind."""
        if one.kind not in self.hopeful:
            return one.least_usd <= self.best.get(one.kind, math.inf)
        if not one.may_meet:
            # The cheapest that meets nothing stands for a kind only while nothing of it may meet everything.
            return self.left[one.kind] <= 0 and one.kind not in self.best
        tied = one.least_usd <= self.best.get(one.kind, math.inf) * _CLEAR_OF_TIE
        return tied or one.least_usd <= self.patient.get(one.kind, math.inf)

    def note(self, kind: Kind, outcome: Outcome) -> None:
        """One that was worked out."""
        usd = float(outcome.usd)
        meets = is_feasible(outcome, self.allowed)
        if meets or kind not in self.hopeful:
            self.best[kind] = min(usd, self.best.get(kind, math.inf))
        if meets and is_patient(outcome, self.allowed):
            self.patient[kind] = min(usd, self.patient.get(kind, math.inf))
        on_demand = {kind: usd for kind, usd in self.patient.items() if kind[1] == "on-demand"}
        hopeful_on_demand = sum(kind[1] == "on-demand" for kind in self.hopeful)
        self.over_at_usd = max(
            min((usd for kind, usd in self.best.items() if kind in self.hopeful), default=math.inf) * _CLEAR_OF_TIE,
            _nth(self.best, min(MOST_RUNNERS_UP + 1, len(self.kinds))),
            _nth(on_demand, min(_FALLBACKS, hopeful_on_demand)),
            _nth(self.patient, min(_FALLBACKS, len(self.hopeful))),
        )


def _nth(usd: Mapping[Kind, float], count: int) -> float:
    """The so manieth smallest; infinite while there are fewer."""
    values: Sequence[float] = sorted(usd.values())
    if count == 0:
        return 0.0
    return values[count - 1] if len(values) >= count else math.inf


def _order(one: Entry) -> tuple[float, Kind, str, str, int]:
    return one.least_usd, one.kind, one.way.server.type.name, one.way.server.zone, one.way.replicas
