"""A cluster whose nodes Karpenter makes, with the chart installed and its controller at work.

The control plane, Karpenter and the controller are real; the controller runs here, with the token of the account and
the configuration that the chart gave it. Nodes and pods are played, planners' and workers' programs, too.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.chart_matrix import MODEL as MODEL_VALUES
from support.charts import CHART, NAMESPACE
from support.cluster.control_plane import Cluster, control_plane, write_kubeconfig
from support.cluster.fake_nodes import fake_nodes
from support.cluster.karpenter import NODE_CLASS, karpenter
from support.cluster.played_pods import PlayedPods, played_pods
from support.cluster.videojobs import Job, start
from support.cluster.world import TABLE, World
from support.controllers import RunningController, running_controller
from support.dynamodb import dynamodb_local
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings

TEAM = "team-a"
SERVER_START_S = 12.0
"""How long a server's pod takes from its node to its first answer: long enough to be seen while it loads its model."""
GPUS = 16
"""Most GPUs that the chart's NodePool may have."""
SLOW = "slow_detector"
"""A model of which one replica answers two frames a second."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KarpenterWorld:
    """See the module.

    Attributes:
        controller: its process.
        played: the programs of planners and workers.
    """

    world: World
    controller: RunningController
    played: PlayedPods

    @property
    def cluster(self) -> Cluster:
        return self.world.cluster

    def start(self, name: str, **spec: Any) -> Job:
        """Makes a VideoJob in the tenant's namespace."""
        return start(self.world, name, "videos/", namespace=TEAM, **spec)

    def claims(self, pool: str | None = None) -> list[Object]:
        """Karpenter's NodeClaims, of the pool "gpu" or "cpu", or all."""
        labels = "" if pool is None else f"?labelSelector=videojob.dev/pool={pool}"
        return list(self.cluster.get(f"/apis/karpenter.sh/v1/nodeclaims{labels}")["items"])

    def servers(self) -> list[Object]:
        """The pods of Triton."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/component=server"
        return list(self.cluster.get(path)["items"])

    def placed(self) -> list[Object]:
        """Those of them that have a node."""
        return [pod for pod in self.servers() if "nodeName" in pod["spec"]]

    def of_model(self, name: str) -> list[Object]:
        """The nodes that servers of a model are on, one for each server."""
        return [self.node_of(pod) for pod in self.placed() if pod["metadata"]["labels"]["videojob.dev/model"] == name]

    def ends(self) -> set[str]:
        """Reasons that the tenant's jobs ended with; waits for all of them."""
        path = f"/apis/videojob.dev/v1alpha1/namespaces/{TEAM}/videojobs"
        jobs = [Job(self.world, one) for one in self.cluster.get(path)["items"]]
        return {job.end() for job in jobs}

    def parallelism(self, job: Job) -> int:
        """Workers that may run side by side."""
        labels = f"videojob.dev/job-name={job.name},app.kubernetes.io/component=worker"
        (found,) = self.cluster.get(f"/apis/batch/v1/namespaces/{job.namespace}/jobs?labelSelector={labels}")["items"]
        return int(found["spec"]["parallelism"])

    def nodes_take(self, seconds: int) -> None:
        """From now on new nodes take so long to come."""
        spec = json.dumps({"spec": {"nodeRegistrationDelay": f"{seconds}s"}})
        self.cluster.kubectl("patch", "kwoknodeclass", "default", "--type=merge", "-p", spec)

    def node_of(self, pod: Object) -> Object:
        """The node that a pod is on."""
        return self.cluster.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")

    def events(self, job: Job) -> list[tuple[str, str]]:
        """(reason, message) of the Events about a job, oldest first."""
        path = f"/api/v1/namespaces/{job.namespace}/events?fieldSelector=involvedObject.kind=VideoJob"
        found = [one for one in self.cluster.get(path)["items"] if one["involvedObject"]["name"] == job.name]
        found.sort(key=lambda one: int(one["metadata"]["resourceVersion"]))
        return [(one["reason"], one["message"]) for one in found]

    def evicted(self) -> set[str]:
        """Names of pods that Karpenter told to have evicted from a node."""
        found = self.cluster.get("/api/v1/events?fieldSelector=reason=Evicted,involvedObject.kind=Pod")["items"]
        return {one["involvedObject"]["name"] for one in found}

    def limit(self, pool: str, **limits: str) -> None:
        """Changes the limits of a NodePool of the chart, as its administrator would."""
        name = f"{NAMESPACE}-videojob-{pool}"
        patch = json.dumps([{"op": "replace", "path": "/spec/limits", "value": limits}])
        self.cluster.kubectl("patch", "nodepool", name, "--type=json", "-p", patch)


@contextmanager
def karpenter_world() -> Iterator[KarpenterWorld]:
    """Brings it up, in about 20 s."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videojob-karpenter-")))
        table_url = stack.enter_context(dynamodb_local())
        cluster = stack.enter_context(control_plane(folder / "cluster"))
        # One node is there before: what is not the chart's business runs on it, as its controller. Nothing else fits.
        stack.enter_context(fake_nodes(cluster, 1, cpu="500m", memory="1Gi", server_start_s=SERVER_START_S))
        stack.enter_context(karpenter(cluster))
        for name in (NAMESPACE, TEAM):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        install(cluster)
        world = World(cluster, None, "", table_url, "")
        controller = stack.enter_context(_controller(cluster, table_url))
        controller.ready()
        store = stack.enter_context(closing(DynamoDbJobStore(DynamoDbSettings(TABLE), world.dynamodb())))
        played = stack.enter_context(played_pods(cluster.client, store))
        yield KarpenterWorld(world, controller, played)


def install(cluster: Cluster) -> None:
    """The chart with Karpenter, everything on its default but for the class of nodes and the waits of idle capacity."""
    slow = {**MODEL_VALUES["variants"]["gpu"], "framesPerSecond": "2", "startSeconds": 60}
    values = {
        "aws": {"identity": "none", "region": "us-east-1"},
        "results": {"table": TABLE, "createTable": True},
        "tenants": [{"namespace": TEAM}],
        "models": {"face_detector": MODEL_VALUES, SLOW: {**MODEL_VALUES, "variants": {"gpu": slow}}},
        # Pods that are played need no time to start, so that each gets one segment and there are some to look at.
        "worker": {"startSeconds": 0},
        "triton": {"gpu": {"idleSeconds": 1}, "cpu": {"idleSeconds": 1}},
        "karpenter": {
            "flavor": "karpenter",
            "nodeClassRef": NODE_CLASS,
            "gpu": {"consolidateAfter": "1s", "limits": {"nvidia.com/gpu": str(GPUS)}},
            "cpu": {"consolidateAfter": "1s"},
        },
    }
    path = cluster.folder / "values.json"
    path.write_text(json.dumps(values))
    cluster.helm("install", "videojob", CHART, "--namespace", NAMESPACE, "--values", path)


@contextmanager
def _controller(cluster: Cluster, table_url: str) -> Iterator[RunningController]:
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/videojob-controller/token"
    token = cluster.client.post(account, json={"spec": {}}).json()["status"]["token"]
    access, config = cluster.folder / "controller.kubeconfig", cluster.folder / "config.yaml"
    write_kubeconfig(access, cluster.url, cluster.folder / "certificates" / "ca.crt", token)
    rendered = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/videojob-config")
    config.write_text(rendered["data"]["config.yaml"])
    flags = ("--deployment=videojob-controller", "--lease=2")
    with running_controller(config, access, table_url, cluster.folder / "controller.log", *flags) as running:
        yield running
