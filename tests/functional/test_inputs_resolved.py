"""A manifest's inputs become local files in their order; a bad one stays in its place and stops nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.http_server import FileServer, Page, file_server
from support.inputs import fetched, inputs, loopback_http
from support.s3 import direct_client, moto_server, use_endpoint
from videojob.adapters.inputs.http_files import HttpFiles
from videojob.api.spec import Input
from videojob.errors import Cancelled, InputAddressForbidden, InputNotFound
from videojob.ports.inputs import FetchedInput
from videojob.worker.steps.inputs import FailedInput, InputResolver


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with moto_server() as url:
        use_endpoint(monkeypatch, url)
        direct_client(url).create_bucket(Bucket="footage")
        yield url


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        running.pages["/web.mp4"] = Page(b"web")
        yield running


def resolve(items: list[Input], folder: Path) -> list[FetchedInput | FailedInput]:
    with loopback_http() as http, InputResolver(folder, folder / "cache", http=http) as resolver:
        return fetched(resolver, items)


def public_url(server: FileServer) -> str:
    return server.url.replace("127.0.0.1", "web.example")


def put_clips(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_all_three_kinds_come_in_the_manifests_order(moto: str, server: FileServer, tmp_path: Path) -> None:
    put_clips(tmp_path, "clips/b2.mp4", "clips/b10.mp4")
    for key in ("day/1.mp4", "day/2.mp4"):
        direct_client(moto).put_object(Bucket="footage", Key=key, Body=key.encode())
    found = resolve(
        inputs(
            {"s3": {"bucket": "footage", "prefix": "day/"}, "name": "lobby"},
            {"http": {"url": f"{public_url(server)}/web.mp4?token=secret"}},
            {"file": {"path": "clips"}},
            {"file": {"path": "clips/b2.mp4"}, "name": "again"},
        ),
        tmp_path,
    )
    assert [(item.uri, item.name) for item in found] == [
        ("s3://footage/day/1.mp4", "lobby/1.mp4"),
        ("s3://footage/day/2.mp4", "lobby/2.mp4"),
        (f"{public_url(server)}/web.mp4?…", ""),
        ("clips/b2.mp4", ""),
        ("clips/b10.mp4", ""),
    ]
    contents = [item.path.read_bytes() for item in found if isinstance(item, FetchedInput)]
    assert contents == [b"day/1.mp4", b"day/2.mp4", b"web", b"clips/b2.mp4", b"clips/b10.mp4"]


def test_a_bad_input_stays_in_its_place_and_the_others_go_on(tmp_path: Path) -> None:
    put_clips(tmp_path, "good.mp4")
    items = inputs(
        {"file": {"path": "missing.mp4"}, "name": "first"},
        {"http": {"url": "http://inside.example/a.mp4?token=secret"}},
        {"file": {"path": "good.mp4"}},
    )
    with (
        HttpFiles(resolve=lambda _host, _port: ["10.0.0.7"]) as http,
        InputResolver(tmp_path, tmp_path / "cache", http=http) as resolver,
    ):
        found = fetched(resolver, items)
    assert [type(item) for item in found] == [FailedInput, FailedInput, FetchedInput]
    errors = [item.error for item in found if isinstance(item, FailedInput)]
    assert [type(error) for error in errors] == [InputNotFound, InputAddressForbidden]
    assert str(tmp_path / "missing.mp4") in errors[0].message
    assert "secret" not in str(errors[1])
    assert (found[0].uri, found[0].name) == ("missing.mp4", "first")


def test_one_file_under_several_spellings_is_processed_once(moto: str, tmp_path: Path) -> None:
    put_clips(tmp_path, "clips/a.mp4", "clips/copy.mp4")
    (tmp_path / "clips" / "copy.mp4").write_bytes((tmp_path / "clips" / "a.mp4").read_bytes())
    client = direct_client(moto)
    client.put_bucket_versioning(Bucket="footage", VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(Bucket="footage", Key="twice/1.mp4", Body=b"1")["VersionId"]
    found = resolve(
        inputs(
            {"file": {"path": "clips/a.mp4"}, "name": "first"},
            {"file": {"path": "./clips/a.mp4"}},
            {"file": {"path": str(tmp_path / "clips" / "a.mp4")}},
            {"file": {"path": "clips/copy.mp4"}},
            {"s3": {"bucket": "footage", "key": "twice/1.mp4", "versionId": version}},
            {"s3": {"bucket": "footage", "prefix": "twice/"}},
        ),
        tmp_path,
    )
    assert [(item.uri, item.name) for item in found] == [
        ("clips/a.mp4", "first"),
        ("clips/copy.mp4", ""),
        ("s3://footage/twice/1.mp4", ""),
    ]


def test_files_need_neither_network_nor_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    put_clips(tmp_path, "good.mp4")
    with InputResolver(tmp_path, tmp_path / "cache") as resolver:
        (found,) = fetched(resolver, inputs({"file": {"path": "good.mp4"}}))
    assert isinstance(found, FetchedInput)


def test_a_version_in_the_manifest_is_what_is_read(moto: str, tmp_path: Path) -> None:
    client = direct_client(moto)
    client.put_bucket_versioning(Bucket="footage", VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket="footage", Key="a.mp4", Body=b"old")["VersionId"]
    client.put_object(Bucket="footage", Key="a.mp4", Body=b"new")
    (found,) = resolve(inputs({"s3": {"bucket": "footage", "key": "a.mp4", "versionId": old}}), tmp_path)
    assert isinstance(found, FetchedInput)
    assert (found.path.read_bytes(), found.version) == (b"old", f"version:{old}")


def test_a_cancel_in_mid_download_ends_the_whole(server: FileServer, tmp_path: Path) -> None:
    def stop(_uri: str, _received: int, _total: int | None) -> None:
        raise Cancelled("Ctrl-C")

    items = inputs({"http": {"url": f"{public_url(server)}/web.mp4"}}, {"file": {"path": "missing.mp4"}})
    with (
        loopback_http(stop) as http,
        InputResolver(tmp_path, tmp_path / "cache", http=http) as resolver,
        pytest.raises(Cancelled),
    ):
        fetched(resolver, items)
