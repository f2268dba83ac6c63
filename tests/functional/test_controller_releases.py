"""Two releases on one cluster, each with its controller: who serves whose VideoJobs, before a real kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest

from support.controller_world import CONFIG, ControllerWorld, controller_world
from support.controllers import RunningController

pytestmark = pytest.mark.timeout(300)
FLAGS = ("--lease=2", "--stale=10", "--resync=2")
"""A release that renews nothing for 10 s is gone. The canary is not hurried: that restarts watches when busy."""
NAMESPACES = ("/api/v1/namespaces", "/apis/videojob.dev/v1alpha1/namespaces", "/apis/batch/v1/namespaces")
LEASES = "/apis/coordination.k8s.io/v1"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
RELEASES = ("release-one", "release-two")


class Releases:
    """Two releases, and tenants' namespaces.

    Attributes:
        world: the surroundings of both.
    """

    def __init__(self, world: ControllerWorld) -> None:
        self.world = world
        self.client = world.client
        for name in RELEASES:
            self.make_namespace(name)

    def make_namespace(self, name: str) -> None:
        answer = self.client.post(NAMESPACES[0], json={"metadata": {"name": name}})
        assert answer.is_success or answer.status_code == httpx.codes.CONFLICT, answer.text

    def start(self, stack: ExitStack, release: str, **config: Any) -> RunningController:
        made = {**CONFIG, **config, "triton": {**CONFIG["triton"], "namespace": release}}
        return stack.enter_context(self.world.controller(*FLAGS, config=made, ends_well=False))

    def make_job(self, namespace: str, **spec: Any) -> None:
        self.make_namespace(namespace)
        base = {"inputs": [{"s3": {"bucket": "videos", "key": "a.mp4"}}], "model": {"name": "face_detector"}}
        job = {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": "lobby"},
            "spec": base | spec,
        }
        answer = self.client.post(f"{NAMESPACES[1]}/{namespace}/videojobs", json=job)
        assert answer.is_success, answer.text

    def status(self, namespace: str) -> Mapping[str, Any]:
        found = self.client.get(f"{NAMESPACES[1]}/{namespace}/videojobs/lobby").json()
        return dict(found.get("status") or {})

    def has_ended(self, namespace: str) -> bool:
        return "completionTime" in self.status(namespace)

    def works(self, namespace: str) -> bool:
        """Whether workers have been asked for."""
        items = self.client.get(f"{NAMESPACES[2]}/{namespace}/jobs").json()["items"]
        return any(one["metadata"]["labels"]["app.kubernetes.io/component"] == "worker" for one in items)

    def servers(self, release: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.client.get(DEPLOYMENTS.format(release)).json()["items"]]

    def claims(self, *namespaces: str) -> dict[str, str]:
        """Who has the claims, by namespace and name of the Lease."""
        items = self.client.get(f"{LEASES}/leases").json()["items"]
        return {
            f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"]["holderIdentity"]
            for one in items
            if one["metadata"]["namespace"] in namespaces
        }


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    with controller_world(tmp_path_factory.mktemp("releases")) as world:
        yield Releases(world)


def says(running: RunningController) -> str:
    """Why it is not ready; "" when it is, or does not answer."""
    try:
        answer = running.http.get("/readyz")
    except httpx.TransportError:
        return ""
    return "" if answer.is_success else answer.text


def installation(release: str) -> str:
    return f"{release}/videojob-controller"


def test_of_two_releases_of_one_scope_one_serves_everything_and_the_other_takes_over_from_it(
    releases: Releases,
) -> None:
    """Both begin at the same time, and see the first VideoJobs at the same time."""
    tenants = ("new-a", "new-b", "new-c")
    with ExitStack() as stack:
        by_name = {name: releases.start(stack, name) for name in RELEASES}
        one, other = by_name.values()
        one.wait("one that serves", lambda: one.ok("/readyz") or other.ok("/readyz"))
        first = RELEASES[0] if one.ok("/readyz") else RELEASES[1]
        (second,) = {*RELEASES} - {first}
        leading, refusing = by_name[first], by_name[second]
        refusing.wait("a refusal that names the first", lambda: installation(first) in says(refusing))
        releases.world.played.works = False
        for tenant in tenants:
            releases.make_job(tenant)
        for tenant in tenants:
            leading.wait(f"workers in {tenant}", partial(releases.works, tenant))
        leading.wait("its server", lambda: releases.servers(first))
        demand_one_server(releases, first, second)
        assert set(releases.claims(*tenants).values()) == {installation(first)}
        assert refusing.metric("videojob_scope_foreign") == 1
        assert refusing.looks("failed") == refusing.looks("crashed") == 0
        demand_notice(releases, first, second)
        assert installation(first) in says(refusing)
        assert leading.ok("/readyz")
        leading.kill()
        refusing.wait("the second takes over", lambda: refusing.ok("/readyz"))
        releases.world.played.works = True
        for tenant in tenants:
            refusing.wait(f"the end in {tenant}", partial(releases.has_ended, tenant))
        assert set(releases.claims(*tenants).values()) == {installation(second)}
        assert refusing.metric("videojob_scope_foreign") == 0


def demand_one_server(releases: Releases, first: str, second: str) -> None:
    assert releases.servers(first) == ["triton-face-detector-cpu"]
    assert releases.servers(second) == []


def demand_notice(releases: Releases, first: str, second: str) -> None:
    """An Event in the namespace of the release that serves nothing."""
    events = releases.client.get(f"{NAMESPACES[0]}/{second}/events").json()["items"]
    assert [installation(first) in one["message"] for one in events] == [True]


def test_releases_of_two_names_serve_their_own_videojobs_side_by_side(releases: Releases) -> None:
    releases.world.played.works = True
    with ExitStack() as stack:
        named = [releases.start(stack, one, controllerName=one) for one in RELEASES]
        for one in named:
            one.ready()
        for name, running in zip(RELEASES, named, strict=True):
            tenant = f"of-{name}"
            releases.make_job(tenant, controllerName=name)
            running.wait(f"the end in {tenant}", partial(releases.has_ended, tenant))
            assert releases.claims(tenant) == {f"{tenant}/videojob-claim-{name}": installation(name)}
        releases.make_job("of-nobody")
        releases.make_job("of-both", controllerName=RELEASES[0])
        named[0].wait("the end of one more", lambda: releases.has_ended("of-both"))
        assert releases.status("of-nobody") == {}
        assert all(one.ok("/readyz") for one in named)
