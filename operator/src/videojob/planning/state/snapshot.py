"""All that one reconcile of a VideoJob decides from, taken at one moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.api.videojob import VideoJob
from videojob.planning.installation import Installation
from videojob.planning.state.last_status import LastStatus
from videojob.planning.state.observed import Observed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision takes.

    Attributes:
        is_resumed: the job ended badly, and resumes with this reconcile; `last_status` is then as if it had not ended.
    """

    job: VideoJob
    observed: Observed
    installation: Installation
    last_status: LastStatus
    now_s: float
    is_resumed: bool = False

    @property
    def is_over_time(self) -> bool:
        """Whether activeDeadlineSeconds are over: counted from the start, again from each resume, not while held."""
        limit_s, started_s = self.job.spec.active_deadline_seconds, self.last_status.counts_from_s
        if limit_s is None or started_s is None or self.job.spec.suspend:
            return False
        if self.last_status.status_of("Suspended") == "True":
            return False  # resumed just now
        resumed_s = self.last_status.since_s("Suspended", "False")
        since_s = started_s if resumed_s is None else max(started_s, resumed_s)
        return self.now_s - since_s >= limit_s

    @property
    def over_time_words(self) -> str:
        """Why `is_over_time`."""
        limit_s = self.job.spec.active_deadline_seconds
        return f"the job ran longer than its activeDeadlineSeconds of {limit_s}"
