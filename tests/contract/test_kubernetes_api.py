"""Our words for what a real kube-apiserver answers, and for what it or the way to it does when they are in problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.api_faults import ApiFaults, Break, CutShort, Fault, Refuse, Request, faulty_api
from support.apiserver import ApiServer, fresh_apiserver
from videojob.adapters.kubernetes.api import KubernetesApi
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, JOBS, VIDEOJOBS
from videojob.ports.cluster import AlreadyThere, ClusterConflict

pytestmark = pytest.mark.timeout(3600)  # the first run may have to build the apiserver
NAMESPACE = "kubernetes-api"
MANY = 1001
"""Three pages."""


class Reached:
    """The API as the project reaches it, through a proxy.

    Attributes:
        api: under test. told: what it reported of its requests.
        faults: of the proxy.
        client: past both.
    """

    def __init__(self, faults: ApiFaults, client: httpx.Client, stack: ExitStack) -> None:
        self.faults, self.client, self._stack = faults, client, stack
        self.told: list[tuple[str, int]] = []
        self.api = self.as_user()

    def as_user(self, **headers: str) -> KubernetesApi:
        """The API with other credentials."""
        own = {"Authorization": self.client.headers.get("Authorization", "")}
        http = self._stack.enter_context(httpx.Client(base_url=self.faults.url, headers=own | headers, timeout=30))
        return KubernetesApi(http, lambda method, status: self.told.append((method, status)))

    def once(self, fault: Fault, wanted: Callable[[Request], bool] = lambda _: True) -> None:
        """The next request of this sort meets a fault."""
        left = [fault]
        self.faults.rule = lambda request: left.pop() if left and wanted(request) else None


@pytest.fixture(scope="module")
def namespace(apiserver: ApiServer) -> Iterator[ApiServer]:
    assert apiserver.client.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}}).is_success
    yield apiserver
    apiserver.client.delete(f"/api/v1/namespaces/{NAMESPACE}")


@pytest.fixture
def reached(namespace: ApiServer) -> Iterator[Reached]:
    with reach(namespace) as made:
        yield made
        namespace.client.delete(CONFIG_MAPS.path(NAMESPACE))


@contextmanager
def reach(server: ApiServer) -> Iterator[Reached]:
    """A proxy before a server, and the API through it."""
    with faulty_api(str(server.client.base_url)) as faults, ExitStack() as stack:
        yield Reached(faults, server.client, stack)


def config_map(name: str, namespace: str = NAMESPACE, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def fill(client: httpx.Client, namespace: str, count: int) -> list[str]:
    """Makes so many; returns their names in the order of a list."""
    names = [f"one-{at:05d}" for at in range(count)]

    def make(name: str) -> None:
        assert client.post(CONFIG_MAPS.path(namespace), json=config_map(name, namespace)).is_success

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, names))
    return names


def names_of(found: Iterator[Any]) -> list[str]:
    return [one["metadata"]["name"] for one in found]


# Reading.


def test_a_list_of_many_pages_is_whole_and_in_order(reached: Reached) -> None:
    names = fill(reached.client, NAMESPACE, MANY)
    assert names_of(reached.api.list(CONFIG_MAPS, NAMESPACE)) == names
    assert reached.told == [("GET", 200)] * 3
    assert names_of(reached.api.list(CONFIG_MAPS, NAMESPACE, fields="metadata.name=one-00777")) == ["one-00777"]
    assert names_of(reached.api.list(CONFIG_MAPS, NAMESPACE, labels="no=one")) == []


def test_no_more_objects_are_asked_for_than_are_wanted(reached: Reached) -> None:
    names = fill(reached.client, NAMESPACE, 30)
    assert names_of(reached.api.list(CONFIG_MAPS, NAMESPACE, most=20)) == names[:20]
    assert [request.query["limit"] for request, _ in reached.faults.seen[-1:]] == [["20"]]
    assert names_of(reached.api.list(CONFIG_MAPS, NAMESPACE, most=40)) == names


def test_outlines_have_whole_metadata_and_columns_and_do_not_grow_with_what_is_in_the_objects(reached: Reached) -> None:
    names = fill(reached.client, NAMESPACE, MANY)
    large = config_map("one-large", text="x" * 500_000)
    large["metadata"]["labels"] = {"size": "large"}
    assert reached.client.post(CONFIG_MAPS.path(NAMESPACE), json=large).is_success
    found = list(reached.api.outlines(CONFIG_MAPS, NAMESPACE))
    assert [one.metadata["name"] for one in found] == [*names, "one-large"]
    assert all(one.cells["Name"] == one.metadata["name"] for one in found)
    (only,) = reached.api.outlines(CONFIG_MAPS, NAMESPACE, labels="size=large")
    assert only.metadata["labels"] == {"size": "large"}
    assert len(json.dumps([only.metadata, only.cells])) < 2000


def test_a_list_goes_on_behind_what_it_gave_when_the_server_forgot_it(tmp_path: Path) -> None:
    """The server keeps old versions for five minutes: who reads slowly comes too late, and so does a busy server."""
    space = "default"
    with (
        # A server that forgets on demand; others go on from memory for a while.
        fresh_apiserver(tmp_path, "--feature-gates=ListFromCacheSnapshot=false") as server,
        reach(server) as reached,
    ):
        names = fill(server.client, space, MANY)
        found = reached.api.list(CONFIG_MAPS, space)
        first = next(found)
        for gone in (names[3], names[600]):
            assert server.client.delete(CONFIG_MAPS.path(space, gone)).is_success
        assert server.client.post(CONFIG_MAPS.path(space), json=config_map("one-00700-new", space)).is_success
        newest = server.client.get(CONFIG_MAPS.path(space), params={"limit": "1"}).json()["metadata"]
        answer = httpx.post(f"{server.etcd_url}/v3/kv/compaction", json={"revision": newest["resourceVersion"]})
        assert answer.is_success, answer.text
        rest = names_of(found)
        assert ("GET", 410) in reached.told
        assert [first["metadata"]["name"], *rest] == sorted({*names, "one-00700-new"} - {names[600]})


@pytest.mark.parametrize("at", [0, 1], ids=["first page", "second page"])
@pytest.mark.parametrize("code", [410, 429, 500, 503, 504])
def test_trouble_in_the_middle_of_a_list_passes(reached: Reached, code: int, at: int) -> None:
    fill(reached.client, NAMESPACE, 501)
    reached.once(Refuse(code), lambda request: ("continue" in request.query) == bool(at))
    with pytest.raises(ClusterUnavailable, match=str(code) if (code, at) != (410, 1) else "expired") as caught:
        list(reached.api.list(CONFIG_MAPS, NAMESPACE))
    assert caught.value.retryable
    assert len(list(reached.api.list(CONFIG_MAPS, NAMESPACE))) == 501


def test_what_is_not_there_is_none(reached: Reached) -> None:
    assert reached.api.get(CONFIG_MAPS, NAMESPACE, "nobody") is None
    assert reached.api.get(CONFIG_MAPS, "no-such-namespace", "nobody") is None
    assert list(reached.api.list(CONFIG_MAPS, "no-such-namespace")) == []


# The way there.


@pytest.mark.parametrize(
    ("fault", "told"), [(CutShort(), 200), (Break(forward=False), 0), (Break(forward=True), 0)], ids=str
)
def test_half_an_answer_and_none_are_no_answer(reached: Reached, fault: Fault, told: int) -> None:
    reached.api.create(CONFIG_MAPS, config_map("here"))
    reached.told.clear()
    for ask in (
        lambda: reached.api.get(CONFIG_MAPS, NAMESPACE, "here"),
        lambda: list(reached.api.list(CONFIG_MAPS, NAMESPACE)),
    ):
        reached.once(fault)
        with pytest.raises(ClusterUnavailable) as caught:
            ask()
        assert caught.value.retryable
    assert reached.told == [("GET", told)] * 2


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7, 7.0), (0, 0.0), (None, 0.0), (3600, 60.0)])
@pytest.mark.parametrize("code", [429, 503])
def test_who_is_asked_to_wait_is_told_how_long(
    reached: Reached, code: int, asked_s: int | None, waited_s: float
) -> None:
    reached.once(Refuse(code, asked_s))
    with pytest.raises(ClusterUnavailable, match=f"{code} injected") as caught:
        reached.api.get(CONFIG_MAPS, NAMESPACE, "here")
    assert (caught.value.retry_after_s, caught.value.retryable) == (waited_s, True)


def test_a_write_whose_answer_was_lost_shows_when_it_is_tried_again(reached: Reached) -> None:
    reached.once(Break(forward=True))
    with pytest.raises(ClusterUnavailable):
        reached.api.create(CONFIG_MAPS, config_map("lost"))
    with pytest.raises(AlreadyThere, match='"lost" already exists'):
        reached.api.create(CONFIG_MAPS, config_map("lost"))


# Writing.


def test_an_older_version_is_a_conflict(reached: Reached) -> None:
    first = reached.api.create(CONFIG_MAPS, config_map("one", a="1"))
    second = reached.api.replace(CONFIG_MAPS, {**first, "data": {"a": "2"}})
    with pytest.raises(ClusterConflict):
        reached.api.replace(CONFIG_MAPS, {**first, "data": {"a": "3"}})
    guarded = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"a": "4"}}
    with pytest.raises(ClusterConflict):
        reached.api.patch(CONFIG_MAPS, NAMESPACE, "one", guarded)
    assert reached.api.get(CONFIG_MAPS, NAMESPACE, "one") == second


def test_replacing_what_is_gone_is_refused(reached: Reached) -> None:
    first = reached.api.create(CONFIG_MAPS, config_map("one"))
    reached.api.delete(CONFIG_MAPS, NAMESPACE, "one")
    with pytest.raises((ClusterConflict, ClusterRefused)):
        reached.api.replace(CONFIG_MAPS, first)


def test_only_the_object_that_was_meant_is_deleted(reached: Reached) -> None:
    old = reached.api.create(CONFIG_MAPS, config_map("one"))
    reached.api.delete(CONFIG_MAPS, NAMESPACE, "one", uid=old["metadata"]["uid"])
    new = reached.api.create(CONFIG_MAPS, config_map("one"))
    with pytest.raises(ClusterConflict):
        reached.api.delete(CONFIG_MAPS, NAMESPACE, "one", uid=old["metadata"]["uid"])
    assert reached.api.get(CONFIG_MAPS, NAMESPACE, "one") == new
    reached.api.delete(CONFIG_MAPS, NAMESPACE, "one", uid=new["metadata"]["uid"])
    reached.api.delete(CONFIG_MAPS, NAMESPACE, "one", uid=new["metadata"]["uid"])


def test_a_patch_of_what_is_not_there_makes_nothing(reached: Reached) -> None:
    assert reached.api.patch(CONFIG_MAPS, NAMESPACE, "nobody", {"data": {"a": "1"}}) is None
    assert reached.api.patch(VIDEOJOBS, NAMESPACE, "nobody", {"status": {}}, subresource="status") is None
    assert reached.api.get(CONFIG_MAPS, NAMESPACE, "nobody") is None


def test_a_merge_takes_away_what_is_null_and_an_apply_what_is_not_named_any_more(reached: Reached) -> None:
    applied = reached.api.apply(CONFIG_MAPS, config_map("one", ours="1", old="1"), manager="tests")
    assert applied["data"] == {"ours": "1", "old": "1"}
    merged = reached.api.patch(CONFIG_MAPS, NAMESPACE, "one", {"data": {"theirs": "1"}})
    assert merged is not None
    assert merged["data"] == {"ours": "1", "old": "1", "theirs": "1"}
    again = reached.api.apply(CONFIG_MAPS, config_map("one", ours="2"), manager="tests")
    assert again["data"] == {"ours": "2", "theirs": "1"}, "others' fields stay, ours that we left out go"
    without = reached.api.patch(CONFIG_MAPS, NAMESPACE, "one", {"data": {"theirs": None}})
    assert without is not None
    assert without["data"] == {"ours": "2"}


def test_an_apply_takes_fields_from_others(reached: Reached) -> None:
    reached.api.apply(CONFIG_MAPS, config_map("one", a="theirs"), manager="others")
    assert reached.api.apply(CONFIG_MAPS, config_map("one", a="ours"), manager="tests")["data"] == {"a": "ours"}


# Refusals.


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: list(api.list(VIDEOJOBS, NAMESPACE)),
        lambda api: api.get(JOBS, NAMESPACE, "one"),
        lambda api: api.create(CONFIG_MAPS, config_map("one")),
        lambda api: api.delete(DEPLOYMENTS, NAMESPACE, "one"),
        lambda api: api.patch(VIDEOJOBS, NAMESPACE, "one", {"status": {}}, subresource="status"),
    ],
    ids=["list", "get", "create", "delete", "patch"],
)
def test_a_right_that_is_missing_is_named_and_may_be_given(
    reached: Reached, ask: Callable[[KubernetesApi], object]
) -> None:
    stranger = reached.as_user(**{"Impersonate-User": "stranger"})
    with pytest.raises(ClusterRefused, match='User "stranger" cannot') as caught:
        ask(stranger)
    assert (caught.value.code, caught.value.retryable) == (403, True)
    assert "kubectl auth can-i" in caught.value.hint


def test_credentials_that_nobody_knows_are_refused(reached: Reached) -> None:
    with pytest.raises(ClusterRefused) as caught:
        reached.as_user(Authorization="Bearer nonsense").get(CONFIG_MAPS, NAMESPACE, "one")
    assert (caught.value.code, caught.value.retryable) == (401, True)


def test_what_the_schema_forbids_is_refused_for_good_in_the_servers_words(reached: Reached) -> None:
    value = {"apiVersion": VIDEOJOBS.api, "kind": "VideoJob", "metadata": {"name": "one", "namespace": NAMESPACE}}
    with pytest.raises(ClusterRefused, match=r"spec\.inputs") as caught:
        reached.api.create(VIDEOJOBS, {**value, "spec": {"model": {"name": "face_detector"}}})
    assert (caught.value.code, caught.value.retryable) == (422, False)


# What a server says that is not at hand.


def played(answers: Callable[[httpx.Request], httpx.Response]) -> KubernetesApi:
    return KubernetesApi(httpx.Client(base_url="http://cluster", transport=httpx.MockTransport(answers)))


def test_a_conflict_in_creating_is_not_taken_for_an_object_that_is_there() -> None:
    words = 'Operation cannot be fulfilled on resourcequotas "team": the object has been modified'
    status = {"kind": "Status", "reason": "Conflict", "message": words, "code": 409}
    with pytest.raises(ClusterConflict, match="resourcequotas"):
        played(lambda _: httpx.Response(409, json=status)).create(CONFIG_MAPS, config_map("one"))


@pytest.mark.parametrize("body", ["{}", "[]", "null", '{"kind": "Status", "metadata": {}}', '{"items": []}'])
def test_an_answer_that_is_no_list_is_not_taken_for_an_empty_one(body: str) -> None:
    with pytest.raises(ClusterUnavailable):
        list(played(lambda _: httpx.Response(200, text=body)).list(CONFIG_MAPS))


def test_a_list_that_expires_again_and_again_is_given_up() -> None:
    page = {"metadata": {"continue": "next"}, "items": [config_map("one")]}
    expired = {"kind": "Status", "code": 410, "message": "too old", "metadata": {"continue": "again"}}

    def answer(request: httpx.Request) -> httpx.Response:
        if "continue" not in request.url.params:
            return httpx.Response(200, content=json.dumps(page))
        return httpx.Response(410, content=json.dumps(expired))

    found = played(answer).list(CONFIG_MAPS)
    assert next(found)["metadata"]["name"] == "one"
    with pytest.raises(ClusterUnavailable, match="410 too old"):
        next(found)
