"""A controller and the VideoJobs that there are: memory with 1,500 that have 256 inputs each, and what it costs to have
5,000 that are over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bench.soak.table import Row
from support.controller_world import JOBS, MERGE
from support.controllers import RunningController
from support.dynamodb import AWS_ENVIRONMENT
from support.finished_pods import MIB, Soak, soak

LARGE, INPUTS, OVER = 1500, 256, 5000
RESYNC_S = 10.0
_THREADS = 8
_PAGE = 500
_PATIENCE_S = 1200.0
_OVER_AT = "2026-01-01T00:00:00Z"


def rows() -> Iterator[Row]:
    """See the module."""
    os.environ.update(AWS_ENVIRONMENT)
    with soak() as one:
        with one.controller() as running:
            settle(one, running, 0)
            empty = one.readings().rss_peak_bytes / MIB
            yield Row("no VideoJob: memory, peak", empty, "MiB")
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(partial(make_large, one), range(LARGE)))
        with one.controller() as running:
            settle(one, running, LARGE)
            grown = one.readings().rss_peak_bytes / MIB - empty
            about = f"{LARGE:,} VideoJobs of {INPUTS} inputs"
            yield Row(f"{about}: memory beyond that, peak", grown, "MiB", 100.0, note="373 when they were held in full")
    with soak() as one:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(partial(make_over, one), range(OVER)))
        with one.controller(f"--resync={RESYNC_S:.0f}") as running:
            settle(one, running, 0)
            yield from _over(one, running)


def _over(one: Soak, running: RunningController) -> Iterator[Row]:
    about = f"{OVER:,} VideoJobs that are over"
    reconciles = running.looks("done")
    yield Row(f"{about}: reconciles of them by a controller that starts", reconciles, "", 0.0)
    yield Row(f"{about}: memory, peak", one.readings().rss_peak_bytes / MIB, "MiB", 250.0)
    before, began_s = one.readings(), time.monotonic()
    one.watched.read_until(began_s + 3 * RESYNC_S)
    after = one.readings()
    turns = (time.monotonic() - began_s) / RESYNC_S
    most = OVER / _PAGE + 2
    yield Row(f"{about}: reads per resync", (after.reads - before.reads) / turns, "", 1.5 * most, note="pages of 500")
    yield Row(
        f"{about}: CPU time per resync", 1000 * (after.cpu_s - before.cpu_s) / turns, "ms", note="canary included"
    )
    yield Row("a new job's first status beside them", one.first_status_s("new"), "s", 5.0)


def settle(one: Soak, running: RunningController, reconciles: int) -> None:
    """Until so many reconciles are done, and nothing is new for a while."""
    running.wait(f"{reconciles} reconciles", lambda: running.looks("done") >= reconciles, _PATIENCE_S)
    one.watched.read_until(time.monotonic() + 15.0)


def make_large(one: Soak, number: int) -> None:
    """A job that is held, with many inputs."""
    inputs = [{"s3": {"bucket": "videos", "key": f"camera-{at:03d}/2026-01-01/recording.mp4"}} for at in range(INPUTS)]
    one.world.start(f"large-{number:04d}", inputs=inputs, suspend=True)


def make_over(one: Soak, number: int) -> None:
    """A job that has ended."""
    name = f"over-{number:05d}"
    one.world.start(name, suspend=True)
    condition = {"type": "Succeeded", "status": "True", "reason": "Completed", "lastTransitionTime": _OVER_AT}
    status = {
        "observedGeneration": 1,
        "startTime": _OVER_AT,
        "completionTime": _OVER_AT,
        "conditions": [condition | {"message": "", "observedGeneration": 1}],
    }
    path = f"{JOBS}/{name}/status"
    answer = one.world.client.patch(path, content=json.dumps({"status": status}), headers=MERGE)
    answer.raise_for_status()
