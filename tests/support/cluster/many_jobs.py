"""Many VideoJobs at once on a real control plane, with a controller that is killed in their middle: what it all costs.

Jobs, pods, scheduler and garbage collector are real; nodes and pods are played by kwok, and what planners and workers
would store is stored in DynamoDB Local (`played_pods`). The controller has the chart's rights and its usual times.
Everything shares this machine's cores.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from support.chart_matrix import CPU_ONLY
from support.charts import CHART, NAMESPACE
from support.cluster.control_plane import Cluster, control_plane, write_kubeconfig
from support.cluster.fake_nodes import fake_nodes
from support.cluster.played_pods import played_pods
from support.cluster.readings import Readings, Watched, children_cpu_s
from support.controllers import RunningController, running_controller
from support.dynamodb import dynamodb_local, settings_for
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore

TEAM = "team-a"
TABLE = "videojob-results"
NODES = 20
JOBS = f"/apis/videojob.dev/v1alpha1/namespaces/{TEAM}/videojobs"
_LOOK_EVERY_S = 1.0
_PAGE = 500

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for.

    Attributes:
        jobs: VideoJobs, made one after the other.
        every_s: one in so many seconds; 0 as fast as the API server takes them.
        segments: of each, each in a pod of its own.
        kill: kill -9 the controller when half of the jobs have ended, and start another one.
        flags: of the controllers.
        patience_s: for everything.
    """

    jobs: int
    segments: int = 2
    every_s: float = 0.0
    kill: bool = True
    flags: tuple[str, ...] = ()
    patience_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        reasons: how many jobs ended with each.
        wall_s: from the first job's creation to the last one's end.
        created_s: until all were made.
        away_s: from the kill to the next controller's readiness; 0 without one.
        readings: of all controllers together.
        summaries: jobs whose summary is in the table.
        children: Jobs of Kubernetes per VideoJob, the most.
        cpu_s: of everything that took part, from the first job's creation on, by program; controllers not included.
    """

    load: Load
    reasons: dict[str, int]
    wall_s: float
    created_s: float
    away_s: float
    readings: Readings
    summaries: int
    children: int
    cpu_s: dict[str, float]


@dataclass
class ManyJobs:
    """The surroundings.

    Attributes:
        cluster: see there.
        table_url: of DynamoDB.
    """

    cluster: Cluster
    table_url: str
    _logs: list[Path] = field(default_factory=list)

    def controller(self, *flags: str) -> AbstractContextManager[RunningController]:
        """A controller with the account and the configuration of the chart."""
        log = self.cluster.folder / f"controller-{len(self._logs)}.log"
        self._logs.append(log)
        folder = self.cluster.folder
        return running_controller(
            folder / "config.yaml", folder / "controller.kubeconfig", self.table_url, log, *flags, ends_well=False
        )

    def create(self, name: str) -> None:
        spec = {"inputs": [{"s3": {"bucket": "videos", "key": "a.mp4"}}], "model": {"name": "face_detector"}}
        metadata = {"name": name, "namespace": TEAM}
        value = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": metadata, "spec": spec}
        answer = self.cluster.client.post(JOBS, json=value)
        assert answer.is_success, answer.text

    def jobs(self) -> list[Object]:
        return self._all(JOBS)

    def reasons(self) -> dict[str, int]:
        """How many jobs that are over ended with each reason."""
        found: dict[str, int] = {}
        for job in self.jobs():
            if "completionTime" in job.get("status", {}):
                conditions = {one["type"]: one for one in job["status"]["conditions"]}
                reason = str(conditions["Succeeded"]["reason"])
                found[reason] = found.get(reason, 0) + 1
        return found

    def most_children(self) -> int:
        """Jobs of Kubernetes of the VideoJob that has most."""
        counts: dict[str, int] = {}
        for child in self._all(f"/apis/batch/v1/namespaces/{TEAM}/jobs"):
            uid = child["metadata"]["labels"]["videojob.dev/job-uid"]
            counts[uid] = counts.get(uid, 0) + 1
        return max(counts.values(), default=0)

    def summaries(self) -> int:
        with closing(DynamoDbJobStore(settings_for(self.table_url, table=TABLE))) as store:
            return sum(store.summary(f"{TEAM}.{job['metadata']['uid']}") is not None for job in self.jobs())

    def _all(self, path: str) -> list[Object]:
        found: list[Object] = []
        token = ""
        while True:
            answer = self.cluster.client.get(path, params={"limit": str(_PAGE), "continue": token})
            assert answer.is_success, answer.text
            page = answer.json()
            found.extend(page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                return found


@contextmanager
def many_jobs_world(segments: int) -> Iterator[ManyJobs]:
    """Brings the surroundings up, without a controller."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videojob-many-")))
        table_url = stack.enter_context(dynamodb_local())
        cluster = stack.enter_context(control_plane(folder / "cluster"))
        stack.enter_context(fake_nodes(cluster, NODES))
        for name in (NAMESPACE, TEAM):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        _install(cluster)
        store = stack.enter_context(closing(DynamoDbJobStore(settings_for(table_url, table=TABLE))))
        store.create_table()
        played = stack.enter_context(played_pods(cluster.client, store))
        played.segments = segments
        yield ManyJobs(cluster, table_url)


def _install(cluster: Cluster) -> None:
    """The chart, and what a controller outside of the cluster needs to be the chart's."""
    values = {
        "aws": {"identity": "none", "region": "us-east-1"},
        "results": {"table": TABLE},
        "tenants": [{"namespace": TEAM}],
        "models": {"face_detector": CPU_ONLY},
        # Pods that are played need no time to start, so that each gets one segment: there shall be many.
        "worker": {"startSeconds": 0},
    }
    path = cluster.folder / "values.json"
    path.write_text(json.dumps(values))
    cluster.helm("install", "videojob", CHART, "--namespace", NAMESPACE, "--values", path)
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/videojob-controller/token"
    token = cluster.client.post(account, json={"spec": {}}).json()["status"]["token"]
    authority = cluster.folder / "certificates" / "ca.crt"
    write_kubeconfig(cluster.folder / "controller.kubeconfig", cluster.url, authority, token)
    rendered = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/videojob-config")
    (cluster.folder / "config.yaml").write_text(rendered["data"]["config.yaml"])


def measure(load: Load, tell: Callable[[str], object] = lambda _words: None) -> Outcome:
    """Makes the jobs, kills the controller in their middle, waits for the last one's end.

    Args:
        load: what is asked for.
        tell: called with what happens.
    """
    with many_jobs_world(load.segments) as world, ExitStack() as stack:
        watched = Watched()
        running = stack.enter_context(world.controller(*load.flags))
        running.ready()
        watched.follow(running)
        before = children_cpu_s()
        began_s = time.monotonic()
        for number in range(load.jobs):
            watched.read_until(began_s + number * load.every_s)
            world.create(f"job-{number:04d}")
        created_s = time.monotonic() - began_s
        tell(f"{load.jobs} jobs made in {created_s:.0f} s")
        away_s = 0.0
        reasons: dict[str, int] = {}
        next_s = began_s
        while sum(reasons.values()) < load.jobs:
            assert time.monotonic() - began_s < load.patience_s, (reasons, running.log.read_text()[-4000:])
            next_s = max(next_s + _LOOK_EVERY_S, time.monotonic())
            watched.read_until(next_s)
            reasons = world.reasons()
            tell(f"{time.monotonic() - began_s:.0f} s: {sum(reasons.values())} ended")
            if load.kill and not away_s and sum(reasons.values()) >= load.jobs / 2:
                watched.read()
                running.kill()
                killed_s = time.monotonic()
                running = stack.enter_context(world.controller(*load.flags))
                running.wait("a next controller", partial(running.ok, "/readyz"), load.patience_s)
                away_s = time.monotonic() - killed_s
                watched.follow(running)
                tell(f"killed, and another one leads after {away_s:.0f} s")
        wall_s = time.monotonic() - began_s
        watched.read()
        taken = {name: value - before.get(name, 0.0) for name, value in children_cpu_s().items() if name != "videojob"}
        summaries, children = world.summaries(), world.most_children()
        return Outcome(load, reasons, wall_s, created_s, away_s, watched.readings(), summaries, children, taken)
