"""When a segment is what kills its pods. Pure.

A pod that the kernel kills for memory says nothing. So from the second try of an index on, pods note in the table that
they begin a segment, and that they are still there when it ends in an error; a commit needs no note. A try that began
an open segment and noted no end has died in it. First tries note nothing: healthy work costs no writes.
"""

from __future__ import annotations

from collections.abc import Iterable

from videojob.video.plan import SegmentDoubt

_BEGAN, _ENDED = "PodBegan.", "PodEnded."
_CONFIRMED = 2
"""As for a decoder's death: one may have been the machine's, or a node that went away without notice."""


def began(failures: int) -> str:
    """What a pod notes of a segment that it begins, after so many failures of its index."""
    return f"{_BEGAN}{failures}"


def ended(failures: int) -> str:
    """What it notes when it outlived an error there."""
    return f"{_ENDED}{failures}"


def silent_deaths(notes: Iterable[SegmentDoubt], failures: int) -> int:
    """How many earlier tries of an index died in an open segment without a word.

    Args:
        notes: all doubts of the segment.
        failures: of the index's pods before the one that asks. A try that no failure followed was disrupted, which
            Kubernetes does not count.
    """
    reasons = {note.reason for note in notes}
    return sum(began(number) in reasons and ended(number) not in reasons for number in range(failures))


def kills_pods(deaths: int, *, is_last: bool) -> bool:
    """Whether a segment is given up that so many tries have died in; by the last pod that may come one is enough."""
    return deaths >= _CONFIRMED or (is_last and deaths > 0)
