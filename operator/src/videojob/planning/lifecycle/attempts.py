"""A job that was resumed after a bad end has another life. The numbers of its attempts tell which one made them. Pure.

Numbers go on in tens: 1 to 10 are of a job that was never resumed, 11 to 20 of its first resume. So an attempt's own
number says whether its end is new or known, whatever else is gone, and no name comes twice. Attempts of a release
that knew no resume are of the first life.
"""

from __future__ import annotations

from videojob.api.videojob import VideoJob

_NUMBERS = 10
MAX_ATTEMPTS = 3
"""How many of one life may end without having settled everything, before the VideoJob fails."""


def life_of(attempt: int) -> int:
    """How often a job had been resumed when the attempt of that number was made."""
    return (attempt - 1) // _NUMBERS


def tries_of(attempt: int) -> int:
    """The how many-th attempt of its life it is, from 1."""
    return (attempt - 1) % _NUMBERS + 1


def next_attempt(latest: int | None, resumes: int) -> int:
    """Number of the next attempt.

    Args:
        latest: number of the newest one, None when there is none.
        resumes: how often the job was resumed.
    """
    return max(resumes * _NUMBERS, latest or 0) + 1


def is_resumed(job: VideoJob) -> bool:
    """Whether a job that ended badly is asked to go on, and nobody has begun with it yet."""
    status = job.status
    if status is None or status.completion_time is None or job.metadata.deletion_timestamp is not None:
        return False
    ended_well = any(one.type == "Succeeded" and one.status == "True" for one in status.conditions)
    return not ended_well and job.spec.resumes > (status.resumes or 0)
