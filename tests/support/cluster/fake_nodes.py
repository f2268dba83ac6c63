"""Nodes that kwok plays on a real control plane: they are Ready, their pods run and end, and nothing is computed.

A played pod is Running and Ready as soon as it has a node, and stays so: kwok runs no program, so whoever plays the
program ends the pod with `end_pod`. A pod that is deleted ends first, as a kubelet's does: a Job waits for that before
it makes another one. Nodes are played when they have the annotation that `fake_node` and Karpenter's kwok provider set.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.cluster.control_plane import ROOT, Cluster, kube_tools
from support.cluster.processes import demand_alive, process, wait_for
from videojob.planning.state.ending import Ending

PLAYED = ("kwok.x-k8s.io/node", "fake")
"""Annotation of nodes that are played."""
_CIDR = "10.128.0.0/9"
_LEASE_S = 40
_SERVER = '.metadata.labels["app.kubernetes.io/component"]'
_MERGE = {"Content-Type": "application/merge-patch+json"}
_STOP = """\
{{ $now := Now }}
phase: Failed
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: false
  restartCount: 0
  state:
    terminated:
      exitCode: %d
      finishedAt: {{ $now | Quote }}
      reason: Error
      startedAt: {{ $now | Quote }}
{{ end }}
"""

Object = dict[str, Any]


@contextmanager
def fake_nodes(
    cluster: Cluster, count: int = 0, *, cpu: str = "64", memory: str = "256Gi", server_start_s: float = 0.0
) -> Iterator[None]:
    """Plays nodes and their pods until the block ends.

    Args:
        cluster: whose nodes; real ones are left alone.
        count: nodes that are there from the start, "fake-0" and so on.
        cpu, memory: of each of these.
        server_start_s: how long the pod of an inference server takes from its node to its first answer.
    """
    programs = kube_tools("kwok")
    config = cluster.folder / "kwok.yaml"
    config.write_text(yaml.safe_dump_all(stages(server_start_s)))
    command: list[str | Path] = [
        programs / "kwok",
        f"--kubeconfig={cluster.kubeconfig_of('kwok')}",
        f"--config={config}",
        f"--manage-nodes-with-annotation-selector={'='.join(PLAYED)}",
        f"--node-lease-duration-seconds={_LEASE_S}",
        f"--cidr={_CIDR}",
        "--node-ip=10.127.0.1",
    ]
    log = cluster.folder / "kwok.log"
    names = [f"fake-{number}" for number in range(count)]
    with process(command, log) as kwok:
        for name in names:
            answer = cluster.client.post("/api/v1/nodes", json=fake_node(name, cpu=cpu, memory=memory))
            assert answer.is_success, answer.text

        def ready() -> bool:
            demand_alive(kwok, "kwok", log)
            return set(names) <= ready_nodes(cluster)

        wait_for(f"{count} played nodes", ready)
        yield


def fake_node(name: str, *, cpu: str = "64", memory: str = "256Gi", labels: Mapping[str, str] | None = None) -> Object:
    """A node that is played from the moment it is made."""
    room = {"cpu": cpu, "memory": memory, "ephemeral-storage": "1Ti", "pods": "2000"}
    places = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": dict([PLAYED]), "labels": places | dict(labels or {})},
        "status": {"capacity": room, "allocatable": room},
    }


def ready_nodes(cluster: Cluster) -> set[str]:
    """Names of nodes that pods may go to."""
    return {
        node["metadata"]["name"]
        for node in cluster.get("/api/v1/nodes")["items"]
        if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", ()))
        and not any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints", ()))
    }


def end_pod(client: httpx.Client, pod: Mapping[str, Any], exit_code: int = 0, message: str = "") -> None:
    """The pod's programs end by themselves; a pod that is gone meanwhile is left alone.

    Args:
        client: talks to the API server.
        pod: that runs.
        exit_code: of each of its containers.
        message: that they leave, as the end of their log.
    """
    metadata, now = pod["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reason = "Error" if exit_code else "Completed"
    ended = {"exitCode": exit_code, "reason": reason, "message": message, "startedAt": now, "finishedAt": now}
    containers = [
        {
            "name": one["name"],
            "image": one["image"],
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        for one in pod["spec"]["containers"]
    ]
    conditions = [
        one | {"status": "False"} if one["type"] in {"Ready", "ContainersReady"} else one
        for one in pod["status"].get("conditions", ())
    ]
    status = {
        "phase": "Failed" if exit_code else "Succeeded",
        "containerStatuses": containers,
        "conditions": conditions,
    }
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
    guard = {"uid": metadata["uid"]}
    answer = client.patch(path, content=json.dumps({"metadata": guard, "status": status}), headers=_MERGE)
    gone = answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.CONFLICT}
    assert answer.is_success or gone, answer.text


def stages(server_start_s: float = 0.0) -> list[Object]:
    """What kwok does with nodes and pods: its own stages, but pods end by themselves only when the test makes them.

    Args:
        server_start_s: see `fake_nodes`.
    """
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kube-crds"], stdout=subprocess.PIPE, text=True, timeout=600, check=True
    )
    folder = Path(done.stdout.splitlines()[-1]) / "stages"
    known = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
    ready, server = known["pod-ready"], copy.deepcopy(known["pod-ready"])
    _demand(ready, _SERVER, "NotIn", "server")
    _demand(server, _SERVER, "In", "server")
    server["metadata"]["name"] = "server-ready"
    server["spec"]["delay"] = {"durationMilliseconds": int(server_start_s * 1000)}
    stop, delete = copy.deepcopy(known["pod-delete"]), known["pod-delete"]
    _demand(stop, ".status.phase", "NotIn", "Failed", "Succeeded")
    _demand(delete, ".status.phase", "In", "Failed", "Succeeded")
    stop["metadata"]["name"] = "pod-stop"
    stop["spec"]["next"] = {"statusTemplate": _STOP % int(Ending.STOPPED)}
    return [*known.values(), server, stop]


def _demand(stage: Object, key: str, operator: str, *values: str) -> None:
    stage["spec"]["selector"]["matchExpressions"].append({"key": key, "operator": operator, "values": list(values)})
