"""Peak memory of one worker: the runner and its decoder process, resident pages summed.

Pages that both share (the ring, libraries) count twice, so the true figure is lower. The model does nothing here: it
runs in the server, and frames then come as fast as they are decoded, with every queue full.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench import launch
from bench.measure import ratio_of
from bench.plan import Plan
from bench.server import NOTHING, serving_emulated
from bench.table import Row
from bench.tasks import ServerPlace

LIMIT_MB = 600.0
_LONGER = 4


def rows(plan: Plan) -> Iterator[Row]:
    """Against the limit for 4K, and a long clip against a short one."""
    with serving_emulated() as place:
        for clip_name in ("small", "1080p", "4k"):
            peak = _peak_mb(plan, clip_name, 1, place)
            yield Row(
                "peak memory per worker / limit",
                clip_name,
                peak,
                LIMIT_MB,
                "MB",
                ratio_of([(peak, LIMIT_MB)]),
                aim=1.0,
                lower_is_better=True,
            )
        short, long = (_peak_mb(plan, "small", loops, place) for loops in (plan.long_loops, _LONGER * plan.long_loops))
    yield Row(
        f"peak memory, {_LONGER} x as long / once",
        "small",
        long,
        short,
        "MB",
        ratio_of([(long, short)]),
        aim=1.1,
        lower_is_better=True,
    )


def _peak_mb(plan: Plan, clip_name: str, loops: int, place: ServerPlace) -> float:
    sample = launch.run("ours", plan.task(clip_name, loops, place, NOTHING))
    return sample.extra["peak_rss_per_worker_bytes"] / 1e6
