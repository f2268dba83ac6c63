"""`videojob logs` before a real kube-apiserver; only the kubelet behind it is a stand-in, which says what the
test tells it to.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.apiserver import running_apiserver
from support.cluster.processes import wait_for
from support.command import Finished, command_line
from support.controllers import kubeconfig
from support.kubelet import Kubelet, make_pod, set_states, stand_in_kubelet
from videojob.cli.programs.crd import CrdFormat, crd_text

pytestmark = pytest.mark.timeout(300)
SYSTEM, TEAM = "videojob-system", "team-a"
JOBS = f"/apis/videojob.dev/v1alpha1/namespaces/{TEAM}/videojobs"
MERGE = {"Content-Type": "application/merge-patch+json"}
PATIENCE_S = 60
COMPONENT = "app.kubernetes.io/component"


def own_line(message: str, level: str = "info", **facts: object) -> str:
    return json.dumps({"time": "2026-11-25T10:00:03.250+00:00", "level": level, "message": message, **facts})


def at(second: str, text: str) -> tuple[str, str]:
    return f"2026-11-25T10:00:{second}Z", text


@dataclass(frozen=True, slots=True)
class World:
    """A VideoJob with pods on the node of a kubelet."""

    client: httpx.Client
    kubelet: Kubelet
    environment: dict[str, str]

    def job(self, name: str, **containers: str) -> None:
        """A VideoJob and its workers' Job, which sends to the server triton-NAME."""
        base = {"inputs": [{"s3": {"bucket": "videos", "key": "a.mp4"}}], "model": {"name": "face_detector"}}
        value = {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": name, "namespace": TEAM},
            "spec": base,
        }
        answer = self.client.post(JOBS, json=value)
        assert answer.is_success, answer.text
        uid = answer.json()["metadata"]["uid"]
        container = {"name": "videojob", "image": "none", "args": [f"--server=triton-{name}.{SYSTEM}.svc:8001"]}
        template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        work = {
            "metadata": {"name": f"{name}-work-1", "labels": {"videojob.dev/job-uid": uid, COMPONENT: "worker"}},
            "spec": {"suspend": True, "template": template},
        }
        answer = self.client.post(f"/apis/batch/v1/namespaces/{TEAM}/jobs", json=work)
        assert answer.is_success, answer.text
        for component in ("planner", "worker"):
            labels = {"videojob.dev/job-uid": uid, COMPONENT: component}
            make_pod(self.client, TEAM, f"{name}-{component}", labels)
        labels = {COMPONENT: "server", "videojob.dev/server": f"triton-{name}"}
        make_pod(self.client, SYSTEM, f"triton-{name}", labels, containers=("triton",), init=("sync-model",))

    def end(self, name: str) -> None:
        """The job ends well."""
        now = "2026-11-25T10:01:00Z"
        succeeded = {"type": "Succeeded", "status": "True", "reason": "Completed", "lastTransitionTime": now}
        status = {"conditions": [succeeded], "completionTime": now}
        answer = self.client.patch(f"{JOBS}/{name}/status", json={"status": status}, headers=MERGE)
        assert answer.is_success, answer.text
        for component in ("planner", "worker"):
            states = {"videojob": {"state": {"terminated": {"exitCode": 0}}, "ready": False}}
            set_states(self.client, TEAM, f"{name}-{component}", ("videojob",), (), states)
            self.kubelet.ends(f"{name}-{component}", "videojob")

    def types(self, *arguments: str) -> Finished:
        """Runs `videojob logs` to its end."""
        done = subprocess.run(
            command_line("logs", "-n", TEAM, *arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def following(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`videojob logs --follow`; killed if it is still there afterwards."""
        process = subprocess.Popen(
            command_line("logs", "-n", TEAM, "--follow", *arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("logs")
    with running_apiserver(folder) as server, stand_in_kubelet(server.client, folder) as kubelet:
        server.install_crd(crd_text(CrdFormat.YAML))
        for name in (SYSTEM, TEAM):
            server.client.post("/api/v1/namespaces", json={"metadata": {"name": name}})
        token = server.client.headers.get("Authorization", "").removeprefix("Bearer ")
        access = kubeconfig(folder / "kubeconfig", str(server.client.base_url).rstrip("/"), token)
        yield World(server.client, kubelet, os.environ | {"KUBECONFIG": str(access)})


def test_the_logs_of_all_of_a_job_come_in_order_of_time_each_behind_its_pod(world: World) -> None:
    world.job("a")
    world.kubelet.says("a-planner", "videojob", at("01", own_line("planned", videos=2, component="planner")))
    world.kubelet.says("a-worker", "videojob", at("05.5", own_line("segment failed", "warning", error="no answer")))
    world.kubelet.says("triton-a", "triton", at("05.25", "I1125 10:00:04.123456 1 server.cc:676] started"))
    world.kubelet.says("triton-a", "sync-model", at("02", own_line("model is here", model="face_detector")))
    done = world.types("a")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "a-planner 10:00:03 INFO  planned videos=2",
        "triton-a/sync-model 10:00:03 INFO  model is here model=face_detector",
        "triton-a 10:00:05 INFO  started (server.cc:676)",
        'a-worker 10:00:03 WARN  segment failed error="no answer"',
    ]


def test_components_tail_and_raw_choose_what_is_shown(world: World) -> None:
    world.job("b")
    world.kubelet.says("b-worker", "videojob", at("01", own_line("one")), at("02", own_line("two")))
    world.kubelet.says("b-planner", "videojob", at("01", own_line("planned")))
    done = world.types("b", "--component", "worker", "--tail", "1", "--raw")
    assert done.out == f"b-worker {own_line('two')}\n"
    everything = world.types("b", "--component", "worker", "--component", "planner", "--tail", "-1")
    assert len(everything.out.splitlines()) == 3


def test_the_log_before_a_restart_is_to_be_had(world: World) -> None:
    world.job("c")
    assert "no container was restarted" in world.types("c", "--previous").err
    restarted = {"triton": {"lastState": {"terminated": {"exitCode": 1, "containerID": "x://0"}}, "restartCount": 1}}
    set_states(world.client, SYSTEM, "triton-c", ("triton",), ("sync-model",), restarted)
    world.kubelet.says("triton-c", "triton", at("01", "E1125 10:00:01.0 1 m.cc:1] no such file"), previous=True)
    done = world.types("c", "-p")
    assert (done.code, done.out) == (0, "triton-c 10:00:01 ERROR no such file (m.cc:1)\n")


def test_a_container_that_waits_says_why(world: World) -> None:
    world.job("d")
    waiting = {"videojob": {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}}
    set_states(world.client, TEAM, "d-worker", ("videojob",), (), waiting)
    done = world.types("d", "--component", "worker")
    assert (done.code, done.out) == (0, "")
    assert done.err == "d-worker waits: ImagePullBackOff: no such image\n"


def test_following_goes_on_until_the_job_has_ended_and_tells_each_line_once(world: World) -> None:
    world.job("e")
    world.kubelet.says("e-worker", "videojob", at("01.1", own_line("one")))
    world.kubelet.says("triton-e", "triton", at("01", "ready"))
    with world.following("e") as process:
        assert process.stdout is not None
        first = [process.stdout.readline(), process.stdout.readline()]
        assert sorted(first) == ["e-worker 10:00:03 INFO  one\n", "triton-e 10:00:01       ready\n"]
        world.kubelet.says("e-worker", "videojob", at("01.2", own_line("two")))
        assert process.stdout.readline() == "e-worker 10:00:03 INFO  two\n"
        # The connection breaks: the kubelet is asked again from a whole second, and so says lines again.
        world.kubelet.breaks(broken=True)
        asked = len(world.kubelet.queries)
        wait_for("another try", lambda: any("sinceTime" in one for one in world.kubelet.queries[asked:]), PATIENCE_S)
        world.kubelet.breaks(broken=False)
        world.kubelet.says("e-worker", "videojob", at("01.3", own_line("three")))
        world.end("e")
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert out == "e-worker 10:00:03 INFO  three\n"


def test_following_a_job_that_has_ended_shows_what_there_is(world: World) -> None:
    world.job("f")
    world.kubelet.says("f-worker", "videojob", at("01", own_line("one")))
    world.kubelet.says("triton-f", "triton", at("01", "ready"))
    world.end("f")
    done = world.types("f", "--follow")
    assert sorted(done.out.splitlines()) == ["f-worker 10:00:03 INFO  one", "triton-f 10:00:01       ready"]


def test_a_user_who_may_not_see_the_servers_still_sees_the_workers(world: World) -> None:
    world.job("g")
    world.kubelet.says("g-worker", "videojob", at("01", own_line("one")))
    rules = [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
        {"apiGroups": ["batch", "videojob.dev"], "resources": ["*"], "verbs": ["get", "list"]},
    ]
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TEAM}"
    world.client.post(f"{rbac}/roles", json={"metadata": {"name": "people"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "people"}
    subject = {"kind": "ServiceAccount", "name": "ann", "namespace": TEAM}
    binding = {"metadata": {"name": "people"}, "roleRef": reference, "subjects": [subject]}
    assert world.client.post(f"{rbac}/rolebindings", json=binding).is_success
    accounts = f"/api/v1/namespaces/{TEAM}/serviceaccounts"
    world.client.post(accounts, json={"metadata": {"name": "ann"}})
    answer = world.client.post(f"{accounts}/ann/token", json={"spec": {}})
    path = Path(world.environment["KUBECONFIG"]).with_name("ann")
    kubeconfig(path, str(world.client.base_url).rstrip("/"), answer.json()["status"]["token"])
    done = world.types("g", "--kubeconfig", str(path))
    assert done.out == "g-worker 10:00:03 INFO  one\n"
    assert done.err.startswith("the server's logs are not shown: GET /api/v1/namespaces/videojob-system/pods: 403")


def test_whoever_has_read_enough_ends_it_quietly(world: World) -> None:
    world.job("h")
    world.kubelet.says("h-worker", "videojob", *(at(f"{n // 100:02}.{n % 100:02}", "x" * 400) for n in range(1000)))
    words = " ".join(command_line("logs", "-n", TEAM, "h", "--tail", "-1"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} | head -n 1"],
        env=world.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
