"""The chart's NetworkPolicies, and what else selects pods, against the labels that the controller gives its pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from support.chart_matrix import AUTO, KARPENTER, TENANTS
from support.charts import NAMESPACE, Object, named, of_kind, pods, render
from support.decisions import INSTALLATION, a_job
from support.network import Pod, Policy, lets_through, of_pod, selects
from videojob.kube.render.jobs import plan_job, work_job
from videojob.kube.render.servers import server_deployment
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.pods import PlannerDesired, WorkersDesired

KEY = ServerKey("face_detector", 1, "gpu", ("spot",), ("g6.xlarge",))
WORK = WorkersDesired(
    attempt=1, plan_attempt=1, epoch=1, server=KEY, batch=1, completions=4, parallelism=2, suspended=False
)
MONITORED = {
    "monitoring": {"podMonitor": {"enabled": True}},
    "triton": {"podDisruptionBudget": {"enabled": True}},
}


def labels_of(made: dict[str, Any]) -> dict[str, str]:
    return dict(made["spec"]["template"]["metadata"]["labels"])


PLANNER = Pod("team-a", labels_of(plan_job(a_job(), PlannerDesired(1), INSTALLATION)))
WORKER = Pod("team-a", labels_of(work_job(a_job(), WORK, INSTALLATION)))
SERVER = Pod(NAMESPACE, labels_of(server_deployment(KEY, ServerDesired(1, None, busy=True), INSTALLATION)))
PROMETHEUS = Pod("monitoring", {"app.kubernetes.io/name": "prometheus"})
GRPC, HTTP, METRICS, S3, DYNAMODB, CONTROLLER_HTTP = 8001, 8000, 8002, 5000, 8000, 8080
SCOPES = pytest.mark.parametrize("scope", ["cluster", "namespaced"])


def policies(**values: Any) -> list[Object]:
    return of_kind(render({"tenants": TENANTS, **values}), "NetworkPolicy")


def chart_pod(name: str, **values: Any) -> Pod:
    """A pod that the chart itself makes."""
    return Pod(NAMESPACE, dict(pods(render({"tenants": TENANTS, **values})))[name]["metadata"]["labels"])


def names(found: Sequence[Policy]) -> set[str]:
    return {one["metadata"]["name"] for one in found}


@pytest.mark.parametrize("pod", [PLANNER, WORKER], ids=["planner", "worker"])
def test_planners_and_workers_are_selected_in_every_tenants_namespace(pod: Pod) -> None:
    for namespace in ("team-a", "team-b"):
        found = of_pod(policies(), replace(pod, namespace=namespace))
        assert names(found) == {f"{NAMESPACE}-videojob-workers"}
    # Those of `helm test` run beside the controller.
    found = of_pod(policies(), replace(pod, namespace=NAMESPACE))
    assert names(found) == {f"{NAMESPACE}-videojob-workers", "videojob-default-deny"}


@pytest.mark.parametrize("deny", ["namespace", "own"])
def test_servers_are_selected_by_their_own_policy_and_the_denial(deny: str) -> None:
    found = of_pod(policies(networkPolicy={"defaultDeny": deny}), SERVER)
    assert names(found) == {"videojob-triton", "videojob-default-deny"}


def test_what_counts_and_scrapes_servers_selects_them_and_no_other_pod() -> None:
    objects = render(MONITORED)
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        selector = named(objects, kind, "videojob-triton")["spec"]["selector"]
        assert selects(selector, SERVER.labels), kind
        others = [PLANNER.labels, WORKER.labels, *(pod["metadata"]["labels"] for _, pod in pods(objects))]
        assert not any(selects(selector, labels) for labels in others), kind


@SCOPES
@pytest.mark.parametrize("namespace", ["team-a", "team-b", NAMESPACE])
def test_workers_of_tenants_reach_the_servers_by_grpc_alone(scope: str, namespace: str) -> None:
    found = policies(scope=scope)
    worker = replace(WORKER, namespace=namespace)
    assert [port for port in (GRPC, HTTP, METRICS) if lets_through(found, worker, SERVER, port)] == [GRPC]


@SCOPES
def test_nobody_else_reaches_the_servers(scope: str) -> None:
    found = policies(scope=scope)
    # Whoever may make pods in some namespace may give them a worker's labels.
    strangers = [
        replace(WORKER, namespace="elsewhere"),
        PLANNER,
        replace(WORKER, labels={}),
        chart_pod("videojob-controller"),
        PROMETHEUS,
    ]
    assert [pod for pod in strangers if lets_through(found, pod, SERVER, GRPC)] == []


def test_without_the_test_the_releases_own_namespace_is_no_tenant() -> None:
    worker = replace(WORKER, namespace=NAMESPACE)
    assert not lets_through(policies(test={"enabled": False}), worker, SERVER, GRPC)


def test_an_installation_without_tenants_lets_nobody_in() -> None:
    found = of_kind(render({"test": {"enabled": False}}), "NetworkPolicy")
    assert not lets_through(found, replace(WORKER, namespace="elsewhere"), SERVER, GRPC)
    assert lets_through(found, PROMETHEUS, SERVER, METRICS)


@pytest.mark.parametrize("target", [PLANNER, WORKER], ids=["planner", "worker"])
def test_nobody_calls_a_planner_or_worker(target: Pod) -> None:
    callers = [WORKER, SERVER, PROMETHEUS, chart_pod("videojob-controller")]
    assert not any(lets_through(policies(), caller, target, port) for caller in callers for port in (GRPC, HTTP, 80))


def test_metrics_are_for_the_namespaces_that_are_named() -> None:
    chosen = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    found = policies(networkPolicy={"monitoring": {"namespaceSelector": chosen}})
    for target, port in ((SERVER, METRICS), (chart_pod("videojob-controller"), CONTROLLER_HTTP)):
        assert lets_through(found, PROMETHEUS, target, port)
        assert not lets_through(found, replace(PROMETHEUS, namespace="elsewhere"), target, port)


def test_all_who_need_them_reach_the_trials_stores() -> None:
    trial = {"trial": {"enabled": True}}
    found = policies(**trial)
    callers = [PLANNER, WORKER, SERVER, chart_pod("videojob-controller", **trial), chart_pod("videojob-test", **trial)]
    for name, port in (("videojob-trial-s3", S3), ("videojob-trial-dynamodb", DYNAMODB)):
        store = chart_pod(name, **trial)
        assert all(lets_through(found, caller, store, port) for caller in callers), name
        assert not lets_through(found, PROMETHEUS, store, port)


@pytest.mark.parametrize(
    ("values", "port", "is_open"),
    [
        ({"karpenter": KARPENTER}, 8080, True),
        ({"karpenter": KARPENTER}, 8000, False),
        ({"karpenter": KARPENTER, "prices": {"source": "aws"}}, 8080, False),
        ({"karpenter": AUTO}, 8080, False),
        ({}, 8080, False),
        ({"prices": {"source": "karpenter"}}, 8080, True),
        ({"prices": {"source": "karpenter", "metricsUrl": "http://k.kube-system.svc/metrics"}}, 8000, False),
        ({"prices": {"source": "karpenter", "metricsUrl": "http://k.kube-system.svc.cluster.local:81/m"}}, 81, True),
        ({"prices": {"source": "karpenter", "metricsUrl": "http://k.other.svc:8080/metrics"}}, 8080, False),
        ({"prices": {"source": "karpenter", "metricsUrl": "https://prices.example.com/metrics"}}, 8080, False),
    ],
)
def test_the_controller_reaches_karpenters_metrics_where_prices_come_from_there(
    values: dict[str, Any], port: int, *, is_open: bool
) -> None:
    karpenter = Pod("kube-system", {"app.kubernetes.io/name": "karpenter"})
    denied = {"networkPolicy": {"egress": {"cidrs": ["192.0.2.0/24"]}}}
    found = [
        one
        for one in of_kind(render({"tenants": TENANTS, **denied, **values}), "NetworkPolicy")
        if one["metadata"]["name"].endswith("-controller")
    ]
    rules = [one for one in found[0]["spec"]["egress"] if "podSelector" in str(one) and "karpenter" in str(one)]
    only = [{**found[0], "spec": {**found[0]["spec"], "egress": rules}}]
    assert lets_through(only, chart_pod("videojob-controller", **values), karpenter, port) == is_open
    stranger = Pod("kube-system", {"app.kubernetes.io/name": "etcd"})
    assert not lets_through(only, chart_pod("videojob-controller", **values), stranger, port)
