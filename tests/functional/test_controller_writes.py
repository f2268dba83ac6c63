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
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import ModelFacts

MANY = 10
SEGMENTS = 12
APART_S = 5.0
CLOCKS_S = 0.1
"""That the controller's clock and the one here may differ by in that time."""
MOST_OF_LEAST = 1.5
NOT_FOUND = 404
ALL_JOBS = "/apis/videojob.dev/v1alpha1/videojobs"
OWN = 4
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
    assert min(between) > APART_S - CLOCKS_S, "but for the end, which is reported at once"
    assert len(between) >= SEGMENTS / APART_S - 1, "and progress was reported meanwhile"


def has_come(at_s: float) -> bool:
    return time.monotonic() >= at_s


def test_many_jobs_cost_little_more_than_the_writes_that_they_need_and_none_after_their_end(
    world: ControllerWorld, running: RunningController, record_property: Callable[[str, object], None]
) -> None:
    world.played.works, world.played.segments = True, 3
    before = len(world.faults.seen)
    names = [f"many-{number}" for number in range(MANY)]
    uids = [world.start(name) for name in names]
    running.wait("all ends", lambda: all(map(world.has_ended, names)))
    running.wait("the server at zero", lambda: world.replicas() == 0)
    written = world.faults.count(lambda request: request.is_work, before)
    events = world.client.get(f"/api/v1/namespaces/{TEAM}/events").json()["items"]
    told = sum(event["involvedObject"]["name"] in names for event in events)
    least = MANY * (OWN + 2) + told  # a status at the start and one at the end
    record_property("writes_per_job", written / MANY)
    record_property("least_per_job", least / MANY)
    assert written <= MOST_OF_LEAST * least, (written, least)

    wait_for_calm(world, running)
    silent = len(world.faults.seen)
    running.wait("three more lists of everything", lambda: len(lists(world, silent)) > 3)
    assert about(world, [*names, *uids], silent) == [], "no request for a job that is over"


def wait_for_calm(world: ControllerWorld, running: RunningController) -> None:
    """What follows from the ends of jobs has been done: their Jobs have ended, too, and everything was listed since."""
    ended = len(world.faults.seen)
    running.wait("what follows from the ends", lambda: len(lists(world, ended)) > 2)


def lists(world: ControllerWorld, since: int) -> list[Request]:
    """Requests for the VideoJobs of the cluster."""
    return [one for one, _ in world.faults.seen[since:] if one.path == ALL_JOBS and not one.is_watch]


def about(world: ControllerWorld, words: list[str], since: int) -> list[str]:
    """Requests that concern one of the jobs with these names and uids."""
    return [
        f"{one.method} {one.path} {one.query}"
        for one, _ in world.faults.seen[since:]
        if any(word in one.path or word in str(one.query) for word in words)
    ]


def test_jobs_that_are_over_cost_a_controller_that_starts_no_request_each_and_go_when_it_is_time(
    world: ControllerWorld, running: RunningController
) -> None:
    world.played.works, world.played.segments = True, 3
    over = [f"over-{number}" for number in range(MANY)]
    uids = [world.start(name) for name in over]
    world.start("goes", ttlSecondsAfterFinished=12)
    running.wait("all ends", lambda: all(map(world.has_ended, [*over, "goes"])))
    wait_for_calm(world, running)
    running.kill()
    world.free_lease()
    since = len(world.faults.seen)
    with world.controller(*QUICK, "--resync=2") as second:
        second.ready()
        second.wait("the end of its time to live", lambda: world.client.get(f"{JOBS}/goes").status_code == NOT_FOUND)
        second.wait("two lists of everything", lambda: len(lists(world, since)) > 2)
        assert about(world, [*over, *uids], since) == []
