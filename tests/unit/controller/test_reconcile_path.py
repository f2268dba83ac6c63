"""How far somebody has to read who follows one reconcile: pinned, so that the path does not grow unnoticed."""

from __future__ import annotations

import asyncio

import pytest

from support.fake_cluster import FakeCluster
from support.job_desk import KEY, SERVER, JobDesk
from support.reconcile_path import ReconcilePath
from videojob.controller.keys import JobKey
from videojob.controller.runtime.claims import Claims
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.queue import WorkQueue
from videojob.controller.runtime.reconcile_loop import Work
from videojob.controller.runtime.reconcilers import Key, Reconcilers
from videojob.controller.runtime.scope import Scope
from videojob.controller.runtime.threads import Threads
from videojob.kube.kinds import JOBS, NODES, PODS, VIDEOJOBS
from videojob.kube.names import BATCH, server_selector

KNOWN_VERSION = 113, 34
NEW_VERSION = 150, 43
"""Functions and files; docs/design/016 says what they were and what limits them. Rather down than up."""
WRITES = (FakeCluster.patch, FakeCluster.create, FakeCluster.replace, FakeCluster.apply, FakeCluster.delete)


def at_work() -> JobDesk:
    """A job whose workers run, with its server's pod on a node; it was reconciled before."""
    desk = JobDesk()
    scope = Scope(desk.cluster, desk.clock, "videojob-scope-videojob", ("default",), "videojob-system/videojob")
    assert scope.step()
    desk.reconciler.serves = Claims(desk.cluster, desk.clock, "videojob", scope).holds
    namespace = desk.installation.server_namespace
    pod = {
        "metadata": {"name": "triton-0", "namespace": namespace, "uid": "p", "labels": server_selector(SERVER)},
        "spec": {"nodeName": "node-a"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": one, "status": "True"} for one in ("PodScheduled", "Ready")],
            "containerStatuses": [{"name": "triton", "ready": True, "state": {"running": {}}}],
        },
    }
    desk.cluster.put(PODS, pod)
    desk.cluster.put(NODES, {"metadata": {"name": "node-a", "labels": {}}})
    desk.demands.expect([KEY])
    desk.let_work()
    for _ in range(2):  # the first one writes a status, the second one reads it and finds nothing new
        desk.clock.seconds += 10.0
        desk.look()
    assert desk.reason == "Processing"
    return desk


def path_of(desk: JobDesk) -> ReconcilePath:
    """The next reconcile, by the loop that the controller runs."""
    path = ReconcilePath(frozenset({WorkQueue.take.__code__}), frozenset(one.__code__ for one in WRITES))
    kinds = Reconcilers(desk.reconciler)

    async def once() -> None:
        threads = Threads(1, "test")
        loop = asyncio.get_running_loop()
        work = Work(kinds.reconcile, kinds.label, threads, ControllerMetrics(), desk.clock, side_by_side=1)

        def wrote(_key: JobKey) -> None:
            loop.call_soon_threadsafe(work.close)

        desk.reconciler.wrote = wrote
        work.add(Key("job", KEY))
        async with asyncio.timeout(10):
            assert await work.run(5.0)
        threads.close()

    with path.recording():
        asyncio.run(once())
    return path


@pytest.mark.parametrize(
    ("edited", "functions", "files"),
    [(False, *KNOWN_VERSION), (True, *NEW_VERSION)],
    ids=["a version of the VideoJob that was read before", "a new version"],
)
def test_one_reconcile_of_a_job_at_work_passes_through_few_functions_and_files(
    edited: bool, functions: int, files: int
) -> None:
    desk = at_work()
    (work,) = [one for one in desk.jobs if "-work-" in one["metadata"]["name"]]
    batch = int(work["metadata"]["annotations"][BATCH])
    desk.cluster.put(JOBS, work | {"status": work["status"] | {"succeeded": 1, "completedIndexes": "0"}})
    desk.table.committed_segments |= set(range(batch))
    if edited:
        desk.cluster.put(VIDEOJOBS, desk.job)
    desk.clock.seconds += 10.0
    before = desk.status["progress"]["segmentsDone"]
    path = path_of(desk)
    assert desk.status["progress"]["segmentsDone"] == before + batch < 10
    assert (len(path.until_write), len(path.files)) == (functions, files), "\n".join(path.until_write)
