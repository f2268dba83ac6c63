"""Watches and logs of the API server as they come: whole lines, whatever the pieces, and ends that are no faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from videojob.adapters.kubernetes.api import KubernetesApi, context_namespace
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import VIDEOJOBS
from videojob.kube.read.log_sources import LogQuery


class Pieces(httpx.SyncByteStream):
    """An answer in pieces, which ends, or breaks with `error`."""

    def __init__(self, *pieces: bytes, error: httpx.HTTPError | None = None) -> None:
        self._pieces, self._error = pieces, error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._error is not None:
            raise self._error


def api(stream: httpx.SyncByteStream, seen: list[httpx.Request] | None = None) -> KubernetesApi:
    """A connection that gives this answer to everything."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(200, stream=stream)

    return KubernetesApi(httpx.Client(base_url="https://api", transport=httpx.MockTransport(answer)))


def change(kind: str, name: str) -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"name": name}}}).encode() + b"\n"


def watched(stream: httpx.SyncByteStream) -> list[tuple[str, str]]:
    return [(kind, value["metadata"]["name"]) for kind, value in api(stream).watch(VIDEOJOBS, "team-a")]


def test_changes_are_whole_whatever_the_pieces() -> None:
    data = change("ADDED", "a") + change("MODIFIED", "b") + change("DELETED", "c")
    single = Pieces(*(data[at : at + 1] for at in range(len(data))))
    assert watched(single) == watched(Pieces(data)) == [("ADDED", "a"), ("MODIFIED", "b"), ("DELETED", "c")]


def test_a_version_that_is_too_old_ends_the_watch() -> None:
    error = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}).encode() + b"\n"
    assert watched(Pieces(change("ADDED", "a"), error, change("ADDED", "b"))) == [("ADDED", "a")]


def test_silence_ends_the_watch_without_a_fault() -> None:
    assert watched(Pieces(change("ADDED", "a"), error=httpx.ReadTimeout("silent"))) == [("ADDED", "a")]


@pytest.mark.parametrize(
    "stream",
    [Pieces(change("ADDED", "a"), error=httpx.ReadError("reset")), Pieces(change("ADDED", "a"), b'{"type": "MOD')],
    ids=["broken", "cut off"],
)
def test_a_broken_watch_is_told(stream: httpx.SyncByteStream) -> None:
    with pytest.raises(ClusterUnavailable):
        watched(stream)


def test_a_refused_watch_is_told_in_the_servers_words() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"message": "ann may not watch", "reason": "Forbidden"})

    cluster = KubernetesApi(httpx.Client(base_url="https://api", transport=httpx.MockTransport(refuse)))
    with pytest.raises(ClusterRefused, match="ann may not watch"):
        list(cluster.watch(VIDEOJOBS, "team-a"))


def test_a_watch_asks_for_what_it_was_told_and_for_an_end() -> None:
    seen: list[httpx.Request] = []
    list(api(Pieces(), seen).watch(VIDEOJOBS, "team-a", fields="metadata.name=a", version="7"))
    assert seen[0].url.path == "/apis/videojob.dev/v1alpha1/namespaces/team-a/videojobs"
    assert dict(seen[0].url.params) == {
        "watch": "true",
        "timeoutSeconds": "40",
        "fieldSelector": "metadata.name=a",
        "resourceVersion": "7",
    }


def test_lines_of_a_log_have_their_times_and_end_at_line_feeds_alone() -> None:
    text = "2026-11-25T10:00:00.1Z one\u2028still\x85one\r\n2026-11-25T10:00:01Z \nno time\n2026-11-25T10:00:02Z last"
    cluster = api(Pieces(text.encode(), b"\xff"))
    assert list(cluster.log("team-a", "p", LogQuery("videojob"))) == [
        ("2026-11-25T10:00:00.1Z", "one\u2028still\x85one\r"),
        ("2026-11-25T10:00:01Z", ""),
        ("", "no time"),
        ("2026-11-25T10:00:02Z", "last\ufffd"),
    ]


def test_a_log_asks_for_the_part_that_is_wanted() -> None:
    seen: list[httpx.Request] = []
    query = LogQuery("videojob", follow=True, previous=True, tail=0, since="2026-11-25T10:00:00Z")
    list(api(Pieces(), seen).log("team-a", "p", query))
    assert seen[0].url.path == "/api/v1/namespaces/team-a/pods/p/log"
    assert dict(seen[0].url.params) == {
        "container": "videojob",
        "timestamps": "true",
        "follow": "true",
        "previous": "true",
        "tailLines": "0",
        "sinceTime": "2026-11-25T10:00:00Z",
    }


def test_the_namespace_is_that_of_the_context(tmp_path: Path) -> None:
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}},
        {"name": "two", "context": {"cluster": "c", "user": "u"}},
    ]
    values = {
        "clusters": [{"name": "c", "cluster": {"server": "https://api"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": contexts,
        "current-context": "one",
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(values))
    assert [context_namespace(path, name) for name in (None, "one", "two", "three")] == [
        "team-a",
        "team-a",
        "default",
        "default",
    ]
