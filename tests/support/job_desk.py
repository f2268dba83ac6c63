"""A job reconciler between a cluster and a table in memory, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from support.decisions import INSTALLATION, NOW_S, a_head, a_job
from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from support.job_stores import FakeJobStore
from videojob.controller.fleet.demands import Demands
from videojob.controller.fleet.servers import ServerObserver
from videojob.controller.jobs.backend import Backend
from videojob.controller.jobs.observe import Observer
from videojob.controller.jobs.pods import Pods
from videojob.controller.jobs.reconcile import JobReconciler
from videojob.controller.jobs.stores import Stores
from videojob.controller.keys import JobKey
from videojob.errors import VideoJobError
from videojob.kube.kinds import DEPLOYMENTS, JOBS, VIDEOJOBS
from videojob.kube.names import server_name
from videojob.kube.render.servers import server_deployment
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.installation import Installation
from videojob.planning.placement.market import Market, NoMarket
from videojob.planning.state.placement import ServerKey
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import PlanHead
from videojob.worker.fold.messages import Folded, FoldRequest
from videojob.worker.steps.learning import Learned

KEY = ("team", "entrance")
MOST_LOOKS = 3
SERVER = ServerKey("face_detector", 1, "cpu")


class TableClock(FakeClock):
    """A clock at the time of `support.decisions`."""

    def now_s(self) -> float:
        return NOW_S + self.seconds


@dataclass
class OneTable(FakeJobStore):
    """A table that also begins runs, and counts what is read."""

    committed_segments: set[int] = field(default_factory=set)
    reads: int = 0

    def begin(self, run: RunRecord) -> RunRecord:
        self._called("begin")
        return replace(run, epoch=1)

    def committed(self, run: RunRecord) -> frozenset[int]:
        self.reads += 1
        return frozenset(self.committed_segments)


@dataclass
class FakeFolds:
    """Folds that end when a test says so.

    Attributes:
        asked: what waits, by job. ended: how it ended, to be taken once.
    """

    asked: dict[JobKey, FoldRequest] = field(default_factory=dict)
    ended: dict[JobKey, Folded | VideoJobError] = field(default_factory=dict)

    def ask(self, key: JobKey, request: FoldRequest) -> Folded | None:
        ended = self.ended.pop(key, None)
        if isinstance(ended, VideoJobError):
            raise ended
        if ended is None:
            self.asked[key] = request
        return ended

    def has(self, key: JobKey) -> bool:
        return key in self.asked

    def forget(self, key: JobKey) -> None:
        self.asked.pop(key, None)
        self.ended.pop(key, None)

    def end(self, key: JobKey, ended: Folded | VideoJobError) -> None:
        """The job's fold ends so."""
        del self.asked[key]
        self.ended[key] = ended


class JobDesk:
    """See the module.

    Attributes:
        market: what there is to choose from by price; None for nothing.
        folds: what was asked to be folded.
        changed: servers whose demand changed. wrote: jobs whose status was written. connected: tables.
        learned: what folded jobs taught about speeds.
        conflicted: how many more segments had two results.
    """

    def __init__(self, installation: Installation = INSTALLATION) -> None:
        self.clock = TableClock()
        self.cluster = FakeCluster()
        self.table = OneTable()
        self.changed: list[ServerKey] = []
        self.wrote: list[JobKey] = []
        self.conflicted: list[float] = []
        self.learned: list[Learned] = []
        self.connected: list[str] = []
        self.demands = Demands()
        self.folds = FakeFolds()
        self.market: Market | NoMarket | None = None
        self.use(installation)

    def use(self, installation: Installation, *backends: Backend) -> None:
        """Restarts the controller, with this configuration, and with backends besides pods."""
        self.installation = installation
        stores, servers = Stores(self._connect, self.clock), ServerObserver(self.cluster, installation, self.clock)
        observer = Observer(self.cluster, stores, installation, servers, lambda _job: self.market)
        self.demands = Demands()
        self.reconciler = JobReconciler(
            self.cluster,
            installation,
            self.clock,
            observer,
            (Pods(self.cluster, installation), *backends),
            self.demands,
            self.folds,
            self.changed.append,
            self.wrote.append,
            self.conflicted.append,
            learned=self.learned.append,
        )

    def _connect(self, table: str, _region: str | None) -> OneTable:
        self.connected.append(table)
        return self.table

    def start(self, spec: Mapping[str, Any] | None = None, **job: Any) -> None:
        """Somebody makes the job."""
        self.cluster.put(VIDEOJOBS, a_job(spec, **job).as_manifest())

    def look(self) -> float | None:
        """As the queue does it: again when that is wanted at once."""
        again_s: float | None = 0.0
        for _ in range(MOST_LOOKS):
            if again_s == 0.0:
                again_s = self.reconciler.reconcile(KEY)
        return again_s

    def plan(self, head: PlanHead | None = None) -> None:
        """The planner ends."""
        self.table.head = a_head() if head is None else head

    def serve(self, key: ServerKey = SERVER, replicas: int = 1) -> None:
        """A server answers."""
        made = server_deployment(key, ServerDesired(replicas, None, busy=True), self.installation)
        self.cluster.put(DEPLOYMENTS, made | {"status": {"readyReplicas": replicas}})
        self.clock.seconds += 2.0

    def let_work(self) -> dict[str, Any]:
        """The job is made, planned, and its workers run; returns their Job."""
        self.start()
        self.plan()
        self.look()
        self.serve()
        self.look()
        (work,) = [one for one in self.jobs if "-work-" in one["metadata"]["name"]]
        assert work["spec"]["suspend"] is False
        return self.cluster.put(JOBS, work | {"status": {"active": 1, "ready": 1}})

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return [one for (plural, _, _), one in self.cluster.stored.items() if plural == JOBS.plural]

    @property
    def job(self) -> dict[str, Any]:
        return self.cluster.stored[VIDEOJOBS.plural, *KEY]

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.job.get("status") or {})

    @property
    def reason(self) -> str:
        return self.condition("Succeeded")[1]

    def condition(self, kind: str) -> tuple[str, str]:
        """(status, reason) of a stored condition."""
        found = next(one for one in self.status["conditions"] if one["type"] == kind)
        return found["status"], found["reason"]

    def forget_server(self, key: ServerKey = SERVER) -> None:
        """The server's Deployment goes."""
        self.cluster.stored.pop((DEPLOYMENTS.plural, self.installation.server_namespace, server_name(key)))
