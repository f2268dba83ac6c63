"""What follows from one version of a VideoJob alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob.api.spec import VideoJobSpec
from videojob.api.videojob import VideoJob
from videojob.errors import TableNotAllowed, UnsupportedField, VideoJobError
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.attempts import is_resumed
from videojob.planning.placement.tables import check_table, results_table
from videojob.planning.placement.unsupported import check_supported
from videojob.planning.state.last_status import last_status_of
from videojob.planning.state.stored_job import StoredJob
from videojob.reasons.row import RESUME

_REMOVE = f"Remove it from the VideoJob. {RESUME}"
"""What to do about a field that was added to a job at work, which ends for it: to ignore a budget would cost money."""


def stored_job(job: VideoJob, installation: Installation) -> StoredJob:
    """See `StoredJob`.

    Args:
        job: as it is stored, with its status.
        installation: what it offers.
    """
    last_status, resumed = last_status_of(job.status), is_resumed(job)
    return StoredJob(
        job,
        last_status,
        resumed,
        last_status.ended_s is not None and not resumed,
        _cannot_run(job.spec, installation, has_started=last_status.started_s is not None),
        *results_table(job.spec, installation),
        _may_use_table(job.spec, installation),
    )


def _cannot_run(spec: VideoJobSpec, installation: Installation, *, has_started: bool) -> Mapping[str, Any] | None:
    try:
        check_supported(spec, installation)
    except UnsupportedField as error:
        return {**error.as_dict(), "hint": _REMOVE} if has_started else error.as_dict()
    except VideoJobError as error:
        return error.as_dict()
    return None


def _may_use_table(spec: VideoJobSpec, installation: Installation) -> bool:
    try:
        check_table(spec, installation)
    except TableNotAllowed:
        return False
    return True
