"""Which finished segments of an earlier plan another plan of the same job takes over. Pure.

A segment's result depends on its video's content, its range, the model and the settings alone. So a plan with one video
more, or one less, as when an input was away, has use for the results of all others; only their numbers change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NewPlace:
    """Where a result of an earlier plan belongs now: index of its segment, position of its video."""

    segment: int
    video: int


def carried(earlier: str, now: str) -> dict[int, NewPlace]:
    """By the index in the earlier plan, where each segment that both plans have is now; empty when none is the same.

    Args:
        earlier: as `video.identity.plan_text` wrote it.
        now: as it writes the present plan.
    """
    old, new = json.loads(earlier), json.loads(now)
    try:
        if (old["model"], old["settings"]) != (new["model"], new["settings"]):
            return {}
        places = {key: NewPlace(segment, video) for key, segment, video in _segments(new)}
        return {segment: places[key] for key, segment, _ in _segments(old) if key in places}
    except (KeyError, TypeError, IndexError):
        return {}  # of a release that described plans otherwise


_Key = tuple[str, str, int | None, int | None]


def _segments(plan: Mapping[str, Any]) -> Iterator[tuple[_Key, int, int]]:
    for one in plan["segments"]:
        video = plan["inputs"][one["video"]]
        yield (video["uri"], video["version"], one["start_pts"], one["end_pts"]), one["index"], one["video"]
