"""How often the controller writes: as seldom as a job's life needs, and never after its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise

import pytest

from support.api_faults import Request
from support.cluster.processes import wait_for
from support.controller_world import JOBS, QUICK, TEAM, ControllerWorld, controller_world
from support.controllers import RunningController
from support.dynamodb import settings_for
from support.plans import plan_head, planned_job
from support.played_jobs import TABLE
from support.results import segment_commit, segment_result
from videojob.adapters.dynamodb_jobs import DynamoDbJobStore
from videojob.planning.jobplan import ModelFacts
from videojob.results.values import RunRecord

MANY = 10
SEGMENTS = 12
APART_S = 5.0
CLOCKS_S = 0.1
"""That the controller's clock and the one here may differ by in that time."""
MOST_OF_LEAST = 1.5
CHILDREN = 4
"""Writes that each job's own objects need: a ConfigMap, two Jobs, and the workers let go when their server answers."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with controller_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def running(world: ControllerWorld) -> Iterator[RunningController]:
    with world.controller(*QUICK, "--resync=2") as made:
        made.ready()
        yield made


def is_status_of(name: str, request: Request) -> bool:
    return (request.method, request.path) == ("PATCH", f"{JOBS}/{name}/status")


def test_a_job_that_moves_on_all_the_time_has_its_status_written_every_five_seconds_at_most(
    world: ControllerWorld, running: RunningController
) -> None:
    world.played.works, world.played.segments = False, SEGMENTS
    uid = world.start("moving")
    running.wait("work", lambda: world.reason("moving") == "Processing")
    videos = planned_job(cuts=[SEGMENTS - 1])
    head = plan_head(videos)
    run = RunRecord(f"{TEAM}.{uid}", TEAM, "moving", head.plan_digest, head.segments, epoch=1)
    with closing(DynamoDbJobStore(settings_for(world.table_url, table=TABLE))) as store:
        store.describe_model(run, ModelFacts("face_detector", "1", ("face", "car")))
        began_s = time.monotonic()
        for at, segment in enumerate(videos[0].segments):
            wait_for("the next second", partial(has_come, began_s + at))
            store.commit(run, segment_commit(segment_result(segment)))
    running.wait("the end", partial(world.has_ended, "moving"))
    written_s = [request.at_s for request, _ in world.faults.seen if is_status_of("moving", request)]
    between = [later - earlier for earlier, later in pairwise(written_s[:-1])]
    assert min(between) > APART_S - CLOCKS_S, "but for the end, which is told at once"
    assert len(between) >= SEGMENTS / APART_S - 1, "and progress was told meanwhile"


def has_come(at_s: float) -> bool:
    return time.monotonic() >= at_s


def test_many_jobs_cost_little_more_than_the_writes_that_they_need_and_none_after_their_end(
    world: ControllerWorld, running: RunningController, record_property: Callable[[str, object], None]
) -> None:
    world.played.works, world.played.segments = True, 3
    before = len(world.faults.seen)
    names = [f"many-{number}" for number in range(MANY)]
    for name in names:
        world.start(name)
    running.wait("all ends", lambda: all(map(world.has_ended, names)))
    running.wait("the server at zero", lambda: world.replicas() == 0)
    written = world.faults.count(lambda request: request.is_work, before)
    events = world.client.get(f"/api/v1/namespaces/{TEAM}/events").json()["items"]
    told = sum(event["involvedObject"]["name"] in names for event in events)
    least = MANY * (CHILDREN + 2) + told  # a status at the start and one at the end
    record_property("writes_per_job", written / MANY)
    record_property("least_per_job", least / MANY)
    assert written <= MOST_OF_LEAST * least, (written, least)

    looks, silent = running.looks("done"), len(world.faults.seen)
    running.wait("three more looks at each", lambda: running.looks("done") >= looks + 3 * MANY)
    later = [request for request, _ in world.faults.seen[silent:] if request.is_work]
    assert later == []
