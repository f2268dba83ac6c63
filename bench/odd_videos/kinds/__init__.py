"""The cases that the project makes itself, a module for each group of kinds."""

from __future__ import annotations

from bench.odd_videos.cases import Case
from bench.odd_videos.kinds import clocks, damage, geometry, good, keyframes, losses, refused

ALL: tuple[Case, ...] = (
    *losses.CASES,
    *clocks.CASES,
    *geometry.CASES,
    *good.CASES,
    *damage.CASES,
    *keyframes.CASES,
    *refused.CASES,
)
