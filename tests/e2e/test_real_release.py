"""The life of a release on a real node: tested, upgraded under a running job, rolled back, uninstalled without a trace.

Runs after the other tests of the real node: it takes the chart away in the end.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.cluster.existing import make_namespaces
from support.cluster.processes import wait_for
from support.cluster.videojobs import laptop_summary, servers, start, wait_for_no_server
from support.cluster.world import MODEL, RELEASE, SYSTEM, World

pytestmark = pytest.mark.timeout(900)
CRD = "customresourcedefinition.apiextensions.k8s.io/videojobs.videojob.dev"


def _revision(real: World) -> int:
    return int(json.loads(real.cluster.helm("status", RELEASE, "--namespace", SYSTEM, "--output=json"))["version"])


def _objects(real: World) -> set[str]:
    """Everything in the namespaces of release and tenants and in none, but what comes and goes by itself."""
    kubectl = real.cluster.kubectl
    found: set[str] = set()
    for scope in ("true", "false"):
        kinds = kubectl("api-resources", "--verbs=list", f"--namespaced={scope}", "--output=name").split()
        passing = {"events", "events.events.k8s.io", "endpoints", "podmetrics.metrics.k8s.io", "nodes.metrics.k8s.io"}
        names = ",".join(sorted(set(kinds) - passing))
        for where in ("team-a", "team-b", SYSTEM) if scope == "true" else ("",):
            place = ["--namespace", where] if where else []
            found |= {f"{where} {line}" for line in kubectl("get", names, "--output=name", *place).splitlines()}
    return found


def _ours(objects: set[str]) -> list[str]:
    """What the release made, by its name; not what users made, nor what Kubernetes makes of a namespace and a CRD."""
    others = ("/videojob-system", "videojob.videojob.dev/", "apiservice.")
    return sorted(
        one for one in objects if "videojob" in one.partition(" ")[2] and not any(other in one for other in others)
    )


def test_helm_test_runs_a_video_through_it(real: World) -> None:
    real.install(test={"model": MODEL, "video": {"bucket": "videos", "key": "good/carphone.mp4"}})
    said = real.cluster.helm("test", RELEASE, "--namespace", SYSTEM, "--timeout=5m", timeout_s=400)
    assert re.search(r"TEST SUITE:\s+videojob-test\n.*Phase:\s+Succeeded", said, re.DOTALL), said
    wait_for_no_server(real)


def test_an_upgrade_and_a_rollback_under_a_running_job_change_nothing_of_its_results(
    real: World, tmp_path: Path
) -> None:
    before = _revision(real)
    job = start(real, "upgraded", "good/", sampling={"everyNthFrame": 2})
    job.working()
    real.install(controller=real.values()["controller"] | {"podAnnotations": {"example.org/turn": "2"}})
    assert _revision(real) == before + 1
    real.cluster.helm("rollback", RELEASE, str(before), "--namespace", SYSTEM, "--wait", "--timeout=3m")
    assert job.end(600) == "Completed"
    assert job.summary() == laptop_summary(job, tmp_path)
    job.delete()
    wait_for_no_server(real)


def test_a_namespace_that_is_deleted_in_mid_run_goes(real: World) -> None:
    job = start(real, "homeless", "good/", namespace="team-b")
    job.working()
    try:
        real.cluster.kubectl("delete", "namespace", "team-b", "--wait=true", "--timeout=150s", timeout_s=180)
        wait_for_no_server(real)
    finally:
        make_namespaces(real.cluster, "team-b")
        real.install()


def test_an_uninstall_in_mid_run_leaves_the_crd_and_the_users_jobs_and_nothing_else(real: World) -> None:
    real.cluster.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--wait")
    wait_for("the CRD alone", lambda: _ours(_objects(real)) == [f" {CRD}"] or None)
    clean = _objects(real)
    real.install()
    job = start(real, "abandoned", "good/")
    job.working()
    real.cluster.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--wait")
    wait_for("no server", lambda: not servers(real) or None)
    real.cluster.kubectl("-n", job.namespace, "get", "vj", job.name)
    job.delete()
    wait_for("only what was there before", lambda: _objects(real) == clean or None, 120)
