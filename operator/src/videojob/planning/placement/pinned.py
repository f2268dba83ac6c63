"""A placement is chosen once per epoch and recorded in the VideoJob's status and on the workers' Job. Pure.

A job's results are of one model, and of one kind of hardware, since half precision gives other numbers: segments of one
epoch are never answered by two of them. So what this installation offers now chooses for jobs that have no placement
yet, and for those whose workers never started and could not with what was chosen; all others keep it until they end,
whatever the installation offers since. A server of a version that it no longer offers goes on as it stands
(`controller.fleet.servers`); once it is deleted, it cannot be created again.
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from videojob.errors import ModelNotFound, NoPlacement, VideoJobError
from videojob.planning.installation import Installation
from videojob.planning.placement.choice import frames_of, place
from videojob.planning.placement.market import Market, NoMarket
from videojob.planning.placement.priced import at_rate, priced_place
from videojob.planning.state.observed import Observed, ServerObserved
from videojob.planning.state.placement import Place, RecordedPlacement, ServerKey
from videojob.planning.state.stored_job import StoredJob


def placed(
    stored: StoredJob, observed: Observed, installation: Installation, market: Market | NoMarket | None = None
) -> Observed:
    """What was observed of a job, with its placement, or with the error that keeps this installation from running it.

    Args:
        stored: the job.
        observed: its Jobs, its plan and its results.
        installation: what it offers.
        market: what a choice by price is made from; None where none `is_due`, or where prices decide nothing.
    """
    if stored.cannot_run is not None:
        return replace(observed, cannot_run=stored.cannot_run)
    try:
        return replace(observed, placement=place_for(stored, observed, installation, market))
    except VideoJobError as error:
        return replace(observed, cannot_run=error.as_dict())


def is_due(stored: StoredJob, observed: Observed, installation: Installation) -> bool:
    """Whether a job has its plan and no placement that it keeps: one must be chosen now."""
    if stored.cannot_run is not None or observed.head is None or observed.head.error is not None:
        return False
    return _kept_by(stored, observed, installation) is None


def place_for(
    stored: StoredJob, observed: Observed, installation: Installation, market: Market | NoMarket | None = None
) -> Place:
    """Where a job's frames go: as it was recorded for the present epoch, or else by price, or else as `place` chooses.

    The arguments are those of `placed`. What the backend recorded counts beside the status: releases up to 0.1
    recorded the server nowhere else.

    Raises:
        ModelNotFound, NoPlacement: see `place` and `priced_place`; or what was recorded is not offered any more.
    """
    job, last, head = stored.job, stored.last_status, observed.head
    kept = _kept_by(stored, observed, installation)
    if kept is not None:
        return _kept(kept, installation)
    if isinstance(market, Market) and head is not None:
        from_s = market.now_s if last.counts_from_s is None else last.counts_from_s
        deadline = job.spec.deadline
        left_s = None if deadline is None else from_s + float(deadline.complete_within.seconds) - market.now_s
        found = priced_place(job.spec, installation, head, market, left_s=left_s)
        if found is not None:
            return found
    chosen = place(job.spec, installation, frames_of(head, last))
    if isinstance(market, NoMarket):
        return replace(chosen, why=f"{chosen.why}; no prices were compared: {market.why}")
    return chosen


def _kept_by(stored: StoredJob, observed: Observed, installation: Installation) -> RecordedPlacement | None:
    """What was recorded and holds: nothing else may be chosen; None where something must be."""
    job, last = stored.job, stored.last_status
    results = observed.results
    # Whether a worker of the present epoch may have started.
    begun = results is None or bool(results.committed) or observed.backend.has_started(results.epoch)
    kept = _recorded(job.spec.model.name, last.placement, observed)
    return None if kept is None or (not begun and not _is_offered(kept.key, installation)) else kept


def lost_words(where: Place, server: ServerObserved | None) -> str:
    """Why workers will never get their server back; "" while they have it or may get it."""
    if where.key.version == where.model.version or server is not None:
        return ""
    return (
        f"the job started with version {where.key.version} of {where.model.name}, whose server is gone; "
        f"this installation has version {where.model.version} now"
    )


def _recorded(model: str, recorded: RecordedPlacement | None, observed: Observed) -> RecordedPlacement | None:
    """The present epoch's placement: of the status, else the newest that the backend recorded."""
    epoch = 0 if observed.results is None else observed.results.epoch
    found = list(observed.backend.placements)
    if recorded is not None:
        found.append(recorded)
    # Who may change Jobs in the job's namespace could name any server: of another model it is not the job's.
    found = [one for one in found if one.epoch >= epoch and one.key.model == model]
    # Of equal epochs the last one counts: the status after the backend's, of which the newest.
    return max(reversed(found), key=attrgetter("epoch"), default=None)


def _is_offered(key: ServerKey, installation: Installation) -> bool:
    model = installation.models.get(key.model)
    if model is None or key.version != model.version:
        return False
    return key.accelerator in model.variants and key.accelerator in installation.accelerators


def _kept(recorded: RecordedPlacement, installation: Installation) -> Place:
    key = recorded.key
    model = installation.models.get(key.model)
    again = "Create the VideoJob again to use what this installation offers now."
    if model is None:
        raise ModelNotFound(
            "the job started with a model that this installation no longer has", uri=key.model, hint=again
        )
    variant = model.variants.get(key.accelerator)
    if variant is None or key.accelerator not in installation.accelerators:
        words = f"the job started on {key.accelerator}, on which this installation no longer serves model {key.model}"
        raise NoPlacement(words, hint=again)
    return at_rate(Place(key, model, variant, recorded.why), recorded.replica_frames_per_s)
