"""Workers stay with the server that they began with, whatever the installation says later. Pure.

A job's results are of one model, and of one kind of hardware, since half precision gives other numbers: segments of one
epoch are never answered by two of them. So the installation of today chooses for jobs that have no workers yet, and for
workers that never began; all others keep the server that their Job names, until they end. A server of a version that
the installation has no more goes on as it stands (`controller.fleet.servers`); once it is gone it cannot be made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from videojob.api.spec import VideoJobSpec
from videojob.errors import ModelNotFound, NoPlacement
from videojob.planning.installation import Installation
from videojob.planning.placement.choice import Place, place
from videojob.planning.state.observed import JobObserved, ResultsObserved, ServerKey, ServerObserved


def place_for(
    spec: VideoJobSpec,
    frames: int,
    jobs: Sequence[JobObserved],
    results: ResultsObserved | None,
    installation: Installation,
) -> Place:
    """Where a job's frames go now: to the server of its workers, or else where `place` says.

    Args:
        spec: of the job.
        frames: that it asks for, an estimate; the same for all of its life.
        jobs: its Jobs.
        results: what the table has of it; None when that is not known.
        installation: what there is.

    Raises:
        ModelNotFound, NoPlacement: see `place`; or workers have begun with what is not there any more.
    """
    pinned = _pinned(spec, jobs, results)
    if pinned is None or pinned.server is None or _may_move(pinned, pinned.server, results, installation):
        return place(spec, installation, frames)
    kept = _kept(pinned.server, installation)
    return replace(kept, why=_why(spec, frames, pinned.server, installation))


def lost_words(where: Place, server: ServerObserved | None) -> str:
    """Why workers will never get their server back; "" while they have it or may get it."""
    if where.key.version == where.model.version or server is not None:
        return ""
    return (
        f"the job began with version {where.key.version} of {where.model.name}, whose server is gone; "
        f"this installation has version {where.model.version} now"
    )


def _pinned(spec: VideoJobSpec, jobs: Sequence[JobObserved], results: ResultsObserved | None) -> JobObserved | None:
    """The newest Job of the present epoch that names a server."""
    epoch = 0 if results is None else results.epoch
    mine = [one for one in jobs if one.kind == "work" and one.epoch >= epoch and one.server is not None]
    # Who may change Jobs in the job's namespace could name any server: of another model it is not the job's.
    mine = [one for one in mine if one.server is not None and one.server.model == spec.model.name]
    return max(mine, key=lambda one: (one.epoch, one.attempt), default=None)


def _may_move(job: JobObserved, server: ServerKey, results: ResultsObserved | None, installation: Installation) -> bool:
    """Whether workers never began, and could not with the server that their Job names."""
    began = job.finished is not None or not job.suspended or results is None or bool(results.committed)
    model = installation.models.get(server.model)
    is_offered = (
        model is not None and server.accelerator in model.variants and server.accelerator in installation.accelerators
    )
    is_current = model is not None and server.version == model.version
    return not began and not (is_offered and is_current)


def _kept(key: ServerKey, installation: Installation) -> Place:
    model = installation.models.get(key.model)
    anew = "Create the VideoJob again: it then runs with what this installation offers now."
    if model is None:
        raise ModelNotFound("the job began with a model that this installation has no more", uri=key.model, hint=anew)
    variant = model.variants.get(key.accelerator)
    if variant is None or key.accelerator not in installation.accelerators:
        words = f"the job began on {key.accelerator}, where this installation serves model {key.model} no more"
        raise NoPlacement(words, hint=anew)
    return Place(key, model, variant, "")


def _why(spec: VideoJobSpec, frames: int, key: ServerKey, installation: Installation) -> str:
    """Why it is there, as long as the installation of today would choose the same."""
    try:
        chosen = place(spec, installation, frames)
    except (ModelNotFound, NoPlacement):
        return ""
    return chosen.why if chosen.key == key else ""
