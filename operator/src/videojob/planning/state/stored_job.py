"""One version of a VideoJob, with all that follows from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.planning.state.last_status import LastStatus


@dataclass(frozen=True, slots=True)
class StoredJob:
    """What follows from one version; `planning.lifecycle.stored.stored_job` makes it, once for each version.

    Attributes:
        job: as it is stored, with its status.
        last_status: that status in numbers.
        is_resumed: the job ended badly, and is asked to go on. is_over: nothing more will be done.
        cannot_run: `VideoJobError.as_dict()` of why this installation does not run it, whatever is observed.
        table, region: that its results go to. may_use_table: they may.
    """

    job: VideoJob
    last_status: LastStatus
    is_resumed: bool
    is_over: bool
    cannot_run: Mapping[str, Any] | None
    table: str
    region: str | None
    may_use_table: bool
