"""Refusals that every sink words alike."""

from __future__ import annotations

from videojob.errors import SinkError, StaleEpoch
from videojob.results.aggregate.segment_results import RunRecord


def never_begun(run: RunRecord, store: str) -> SinkError:
    """The error for a run that this store has not seen."""
    return SinkError(
        f"run {run.name!r} is not in this store", uri=store, hint="Check that this is the store of that run."
    )


def stale(run: RunRecord, owner_epoch: int, store: str) -> StaleEpoch:
    """The error for a writer whose job has moved on."""
    return StaleEpoch(
        f"epoch {owner_epoch} of {run.name!r} owns the results, this run is epoch {run.epoch}",
        uri=store,
        hint="A newer run of this job, with other inputs, model or settings, has started: let it finish.",
    )


def other_summary(run: RunRecord, store: str) -> SinkError:
    """The error for a second, different summary of one epoch; the first stays."""
    return SinkError(
        f"another summary of run {run.name!r}, epoch {run.epoch}, is stored already",
        uri=store,
        hint="The same plan gave two results: compare the model files and the inputs of both runs.",
    )


def damaged(what: str, run: RunRecord, store: str) -> SinkError:
    """The error for something stored that does not have its own digest."""
    return SinkError(
        f"{what} of run {run.name!r}, epoch {run.epoch}, does not match its digest: it was changed after it was stored",
        uri=store,
        hint="Restore the store from a copy, or remove this run from it and run the job again.",
    )
