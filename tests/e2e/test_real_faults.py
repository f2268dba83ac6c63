"""What a real cluster does to jobs: whatever is killed, held or taken away, each ends right, once, and cleans up."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Timer
from typing import Any

import pytest

from support.cluster.control_plane import NODE
from support.cluster.node import Node
from support.cluster.processes import wait_for
from support.cluster.videojobs import Job, laptop_summary, send, start, wait_for_no_server
from support.cluster.world import World

pytestmark = pytest.mark.timeout(900)
_SAMPLING = {"everyNthFrame": 2}


@pytest.fixture(scope="module")
def undisturbed(real: World, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the laptop makes of the job that all these tests run; its name is in the summary, so they all have it."""
    job = Job(real, _manifest())
    return laptop_summary(job, tmp_path_factory.mktemp("laptop"))


def _manifest() -> dict[str, Any]:
    return {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "disturbed", "namespace": "team-a"},
        "spec": {
            "inputs": [{"s3": {"bucket": "videos", "prefix": "good/"}}],
            "model": {"name": "face_detector"},
            "sampling": _SAMPLING,
        },
    }


def _working(real: World) -> Job:
    job = start(real, "disturbed", "good/", sampling=_SAMPLING)
    job.working()
    return job


def _ends_well(job: Job, undisturbed: bytes) -> None:
    assert job.end(600) == "Completed"
    assert job.summary() == undisturbed
    made = {name.rpartition("-")[2] for name in job.children() if name.startswith("job.")}
    assert made == {"1"}, "one planner and one Job of workers, whatever was killed"
    assert job.status["epoch"] == 1
    job.delete()
    wait_for("nothing to be left of it", lambda: not job.children() or None, 120)
    wait_for_no_server(job.world)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("controller", "videojob controller"),
        ("worker", "videojob worker run"),
        ("Triton", "pytriton/tritonserver/bin/tritonserver"),
    ],
)
@pytest.mark.usefixtures("own_node")
def test_kill_9_in_mid_run_changes_nothing(real: World, undisturbed: bytes, what: str, words: str) -> None:
    job = _working(real)
    assert send(words, signal.SIGKILL) >= 1, f"no {what} was running"
    _ends_well(job, undisturbed)


def test_kill_9_of_the_kubelet_changes_nothing(real: World, own_node: Node, undisturbed: bytes) -> None:
    job = _working(real)
    own_node.kill("kubelet")
    wait_for("a node that is not ready", lambda: not _is_ready(real) or None, 120)
    own_node.start("kubelet")
    _ends_well(job, undisturbed)


def _is_ready(real: World) -> bool:
    conditions = real.cluster.get(f"/api/v1/nodes/{NODE}")["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_a_suspended_job_gives_everything_back_and_goes_on_where_it_was(real: World, undisturbed: bytes) -> None:
    job = _working(real)
    job.patch({"suspend": True})
    job.wait(lambda status: _reason(status) == "Suspended", "to be suspended")
    wait_for("no worker", lambda: not job.pods("worker", "Running") or None, 120)
    wait_for_no_server(real)
    job.patch({"suspend": False})
    _ends_well(job, undisturbed)


@pytest.mark.usefixtures("own_node")
def test_a_table_that_is_away_for_a_minute_costs_time_only(
    real: World, undisturbed: bytes, later: Callable[[float, Callable[[], object]], None]
) -> None:
    job = _working(real)
    assert send("ServerRunner -inMemory", signal.SIGSTOP) >= 1
    later(60.0, lambda: send("ServerRunner -inMemory", signal.SIGCONT))
    _ends_well(job, undisturbed)


def test_a_job_that_takes_too_long_ends_by_its_own_limit(real: World) -> None:
    job = start(real, "too-long", "good/", sampling=_SAMPLING, activeDeadlineSeconds=8)
    assert job.end(120) == "DeadlineExceeded"
    wait_for("no pod at work", lambda: not job.pods("worker", "Running") or None, 120)


def test_a_finished_job_goes_when_its_time_is_over(real: World) -> None:
    job = start(real, "short-lived", "mixed/bikes", sampling={"everyNthFrame": 25}, ttlSecondsAfterFinished=5)
    wait_for("the job to be gone", lambda: not real.cluster.client.get(job.path).is_success or None, 300)


def _reason(status: dict[str, Any]) -> str:
    return next((str(one["reason"]) for one in status.get("conditions", ()) if one["type"] == "Succeeded"), "")


@pytest.fixture
def later(request: pytest.FixtureRequest) -> Callable[[float, Callable[[], object]], None]:
    """Does something after a while, at the latest at the end of the test."""

    def plan(delay_s: float, action: Callable[[], object]) -> None:
        timer = Timer(delay_s, action)
        timer.start()

        def end() -> None:
            timer.cancel()
            timer.join()
            action()

        request.addfinalizer(end)

    return plan
