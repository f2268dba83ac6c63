"""What a run on this machine would have cost on a cluster: one line after `videojob run`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.errors import NoPlacement, VideoJobError
from videojob.local.estimate import question_of
from videojob.local.models.catalogue import look_up
from videojob.local.run_types import RunOutcome
from videojob.planning.cost.region_factors import HOME
from videojob.planning.placement.plan.explain import hardware
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.refusal import why_no_plan
from videojob.planning.placement.plan.relax import NoPlan
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.units import dollars
from videojob.results.stored.summary_codec import decode_summary


@dataclass(frozen=True, slots=True)
class ClusterPrice:
    """What the job would cost on a cluster, or why nothing says so.

    Attributes:
        region: whose prices count.
        chosen: the cheapest way that the job allows; None when there is none, and `why` says why.
        why: a clause; "" when there is a price.
    """

    region: str
    chosen: Outcome | None
    why: str = ""

    @property
    def usd(self) -> Decimal | None:
        """The expected cost."""
        return None if self.chosen is None else self.chosen.usd

    @property
    def prices_as_of(self) -> str:
        """The day of the server's price in the static table; "" without one."""
        if self.chosen is None:
            return ""
        return datetime.fromtimestamp(self.chosen.way.server.price.as_of_s, UTC).date().isoformat()

    def sentence(self) -> str:
        """For people."""
        if self.chosen is None:
            return f"What this would cost on a cluster in {self.region} is not known: {self.why}."
        return (
            f"On a cluster in {self.region} this would cost about {dollars(self.chosen.usd)}: {hardware(self.chosen)}, "
            f"static prices of {self.prices_as_of}."
        )

    def document(self) -> dict[str, Any]:
        """For scripts: the amount in US dollars as text with nine decimals."""
        return {
            "region": self.region,
            "usd": None if self.usd is None else f"{self.usd:.9f}",
            "hardware": None if self.chosen is None else hardware(self.chosen),
            "prices_as_of": self.prices_as_of or None,
            "why_not": self.why or None,
        }


def cluster_price(job: VideoJob, outcome: RunOutcome, repository: Path | None) -> ClusterPrice | None:
    """What a finished run would cost on a cluster in us-east-1, by the static table; None of one without a summary.

    The run is over by now: nothing is raised, and `why` says what keeps it from a price.

    Args:
        job: that ran.
        outcome: of the run; its frames that went through the model count, not those that the headers promised.
        repository: folder of models; None for this machine's own.
    """
    if outcome.summary is None:
        return None
    try:
        asked = _question(job, outcome, decode_summary(outcome.summary).frames.inferred, repository)
    except VideoJobError as error:
        return ClusterPrice(HOME, None, error.message)
    except (OSError, ValueError) as error:
        return ClusterPrice(HOME, None, f"{type(error).__name__}: {error}")
    return priced(asked)


def priced(asked: Question) -> ClusterPrice:
    """The answer of the planner. Pure."""
    found = make_plan(asked)
    if isinstance(found, NoPlan):
        return ClusterPrice(asked.offers.region, None, why_no_plan(asked))
    return ClusterPrice(asked.offers.region, found.chosen)


def _question(job: VideoJob, outcome: RunOutcome, inferred: int, repository: Path | None) -> Question:
    """What the planner is asked, with the frames that were measured.

    Raises:
        VideoJobError: the model is not described here, or there are no frames.
    """
    entry = look_up(job.spec.model.name, repository)
    if entry.contract is None:
        raise entry.error or NoPlacement("the model cannot be used")
    infos = [video.info for video in outcome.videos if video.info is not None]
    asked = question_of(job, infos, entry, entry.contract, HOME)
    return replace(asked, work=replace(asked.work, frames=max(1, inferred)))
