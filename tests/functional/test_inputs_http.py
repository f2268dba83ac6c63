"""Downloads over http: whole, pinned, resumed, refused."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.http_server import FileServer, Page, file_server
from videojob.adapters.inputs.addresses import AddressPolicy
from videojob.adapters.inputs.http_files import HttpFiles
from videojob.adapters.inputs.transfer import TransferPolicy
from videojob.errors import (
    InputAddressForbidden,
    InputChanged,
    InputError,
    InputNotFound,
    InputTooLarge,
    InputUnavailable,
)
from videojob.ports.inputs import Paging

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        running.pages["/clip.mp4"] = Page(CONTENT)
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def files(pauses: list[float]) -> Iterator[HttpFiles]:
    with HttpFiles(TransferPolicy(pause=pauses.append), AddressPolicy(allow_private=True)) as made:
        yield made


def test_a_file_is_downloaded_once_and_pinned_by_its_etag(server: FileServer, files: HttpFiles, tmp_path: Path) -> None:
    first = files.fetch(f"{server.url}/clip.mp4", None, tmp_path)
    assert first.path.read_bytes() == CONTENT
    assert first.version == 'etag:"v1"'
    server.pages["/clip.mp4"].cuts.append(0)  # a second body would be empty; the cache must not need one
    assert files.fetch(f"{server.url}/clip.mp4", first.version, tmp_path) == first


def test_a_query_is_sent_but_never_shown(server: FileServer, files: HttpFiles, tmp_path: Path) -> None:
    fetched = files.fetch(f"{server.url}/clip.mp4?X-Amz-Signature=secret", None, tmp_path)
    assert server.seen[0][0] == "/clip.mp4?X-Amz-Signature=secret"
    assert fetched.uri == f"{server.url}/clip.mp4?…"
    with pytest.raises(InputNotFound) as caught:
        files.fetch(f"{server.url}/gone.mp4?X-Amz-Signature=secret", None, tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("page", "asks_for_the_rest"),
    [
        (Page(CONTENT), True),
        (Page(CONTENT, etag=None, last_modified="Mon, 06 Jul 2026 10:00:00 GMT"), True),
        (Page(CONTENT, ranges=False), True),
        (Page(CONTENT, etag='W/"weak"'), False),
        (Page(CONTENT, etag=None), False),
    ],
    ids=["etag", "last-modified", "no ranges", "weak etag", "nothing to pin"],
)
def test_a_cut_transfer_is_continued_or_begun_again(
    server: FileServer, files: HttpFiles, tmp_path: Path, page: Page, asks_for_the_rest: bool
) -> None:
    page.cuts = deque([0, 300_000])  # the first answer is only looked at, the second breaks off
    server.pages["/clip.mp4"] = page
    fetched = files.fetch(f"{server.url}/clip.mp4", None, tmp_path)
    assert fetched.path.read_bytes() == CONTENT
    assert (len(server.seen[-1][1].get("Range", "bytes=0-")) > len("bytes=0-")) is asks_for_the_rest


def test_a_partial_file_of_an_earlier_process_is_continued(
    server: FileServer, tmp_path: Path, pauses: list[float]
) -> None:
    server.pages["/clip.mp4"].cuts.extend([0, 400_000])
    once = TransferPolicy(attempts=1, pause=pauses.append)
    with HttpFiles(once, AddressPolicy(allow_private=True)) as files:
        with pytest.raises(InputUnavailable):
            files.fetch(f"{server.url}/clip.mp4", None, tmp_path)
        fetched = files.fetch(f"{server.url}/clip.mp4", None, tmp_path)
    assert fetched.path.read_bytes() == CONTENT
    assert server.seen[-1][1]["Range"] == "bytes=400000-"


def test_an_object_replaced_in_mid_download_is_never_mixed(server: FileServer, tmp_path: Path) -> None:
    server.pages["/clip.mp4"].cuts.extend([0, 1000])

    def replace(_uri: str, _received: int, _total: int | None) -> None:
        server.pages["/clip.mp4"] = Page(CONTENT[::-1], etag='"v2"')

    with (
        HttpFiles(
            TransferPolicy(pause=lambda _s: None), AddressPolicy(allow_private=True), progress=replace
        ) as watched,
        pytest.raises(InputChanged),
    ):
        watched.fetch(f"{server.url}/clip.mp4", None, tmp_path)


def test_another_content_than_the_plans_is_refused(server: FileServer, files: HttpFiles, tmp_path: Path) -> None:
    with pytest.raises(InputChanged):
        files.fetch(f"{server.url}/clip.mp4", 'etag:"v0"', tmp_path)


def test_without_anything_to_pin_the_content_itself_is_the_pin(
    server: FileServer, files: HttpFiles, tmp_path: Path
) -> None:
    server.pages["/clip.mp4"] = Page(CONTENT, etag=None, declare_length=False)
    first = files.fetch(f"{server.url}/clip.mp4", None, tmp_path)
    assert first.version.startswith("sha256:")
    server.pages["/clip.mp4"].content = CONTENT + b"x"
    with pytest.raises(InputChanged):
        files.fetch(f"{server.url}/clip.mp4", first.version, tmp_path)


@pytest.mark.parametrize(
    ("status", "error", "retryable", "requests"),
    [
        (404, InputNotFound, False, 1),
        (410, InputNotFound, False, 1),
        (401, InputNotFound, False, 1),
        (403, InputNotFound, False, 1),
        (418, InputUnavailable, False, 1),
        (429, InputUnavailable, True, 5),
        (503, InputUnavailable, True, 5),
    ],
)
def test_error_codes_get_their_named_error_after_the_tries_they_deserve(
    server: FileServer,
    files: HttpFiles,
    tmp_path: Path,
    status: int,
    error: type[InputError],
    retryable: bool,
    requests: int,
) -> None:
    server.pages["/clip.mp4"].statuses.extend([status] * 9)
    with pytest.raises(error) as caught:
        files.fetch(f"{server.url}/clip.mp4", None, tmp_path)
    assert caught.value.retryable is retryable
    assert len(server.seen) == requests


def test_a_busy_server_is_asked_again_more_and_more_slowly(
    server: FileServer, files: HttpFiles, tmp_path: Path, pauses: list[float]
) -> None:
    server.pages["/clip.mp4"].statuses.extend([503, 429, 500])
    assert files.fetch(f"{server.url}/clip.mp4", None, tmp_path).path.read_bytes() == CONTENT
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("declared", [True, False])
def test_more_bytes_than_the_limit_are_refused(server: FileServer, tmp_path: Path, declared: bool) -> None:
    server.pages["/clip.mp4"].declare_length = declared
    with (
        HttpFiles(TransferPolicy(max_bytes=500_000), AddressPolicy(allow_private=True)) as files,
        pytest.raises(InputTooLarge),
    ):
        files.fetch(f"{server.url}/clip.mp4", None, tmp_path)


def test_headers_that_never_end_are_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        policy = TransferPolicy(attempts=1, answer_s=0.3)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/clip.mp4"
        with (
            HttpFiles(policy, AddressPolicy(allow_private=True)) as files,
            pytest.raises(InputUnavailable, match="cannot be read"),
        ):
            files.fetch(url, None, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/clip.mp4",
        "http://localhost:{port}/clip.mp4",
        "http://[::1]:{port}/clip.mp4",
        "http://[::ffff:127.0.0.1]:{port}/clip.mp4",
        "http://2130706433:{port}/clip.mp4",
        "http://0x7f.1:{port}/clip.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/clip.mp4",
        "file:///etc/passwd",
        "ftp://example.com/clip.mp4",
        "http://user:password@example.com/clip.mp4",
    ],
)
def test_a_manifest_cannot_reach_this_machines_network(server: FileServer, tmp_path: Path, url: str) -> None:
    port = server.url.rsplit(":", 1)[1]
    with HttpFiles() as files, pytest.raises(InputAddressForbidden) as caught:
        files.fetch(url.format(port=port), None, tmp_path)
    assert server.seen == []
    assert not caught.value.retryable


class LoopbackIsPublic(AddressPolicy):
    """Takes the test server for a public one, and judges all other addresses as always."""

    def check(self, host: str, addresses: object) -> list[str]:
        assert isinstance(addresses, (list, tuple))
        others = [address for address in addresses if address != "127.0.0.1"]
        super().check(host, others)
        return list(addresses)


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("http://169.254.169.254/latest/meta-data/iam/", InputAddressForbidden),
        ("http://10.1.2.3/clip.mp4", InputAddressForbidden),
        ("http://[fd00:ec2::254]/", InputAddressForbidden),
        ("http://inside.example/clip.mp4", InputAddressForbidden),
        ("file:///etc/passwd", InputAddressForbidden),
        ("/loop", InputUnavailable),
        ("/missing", InputNotFound),
    ],
)
def test_every_hop_of_a_redirect_is_judged(
    server: FileServer, tmp_path: Path, target: str, error: type[InputError]
) -> None:
    server.pages["/start"] = Page(redirect="/loop" if target == "/loop" else "/second")
    server.pages["/second"] = Page(redirect=target)
    server.pages["/loop"] = Page(redirect="/loop")

    def resolve(host: str, _port: int) -> list[str]:
        return ["192.168.0.9"] if host == "inside.example" else [host]

    with HttpFiles(addresses=LoopbackIsPublic(), resolve=resolve) as files, pytest.raises(error) as caught:
        files.fetch(f"{server.url}/start", None, tmp_path)
    assert caught.value.uri == f"{server.url}/start"
    assert len(server.seen) <= 6


def test_a_good_redirect_is_followed(server: FileServer, files: HttpFiles, tmp_path: Path) -> None:
    server.pages["/start"] = Page(redirect="/second")
    server.pages["/second"] = Page(redirect="/clip.mp4")
    assert files.fetch(f"{server.url}/start", None, tmp_path).path.read_bytes() == CONTENT


def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_judged(server: FileServer, tmp_path: Path) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1"]])  # one per connection; rebinding would need one more
    port = server.url.rsplit(":", 1)[1]
    with HttpFiles(addresses=LoopbackIsPublic(), resolve=lambda _h, _p: next(answers)) as files:
        files.fetch(f"http://video.example:{port}/clip.mp4", None, tmp_path)
    assert {headers["Host"] for _, headers in server.seen} == {f"video.example:{port}"}


def test_a_proxy_of_this_machine_is_not_used(
    server: FileServer, files: HttpFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with HttpFiles(addresses=AddressPolicy(allow_private=True)) as fresh:
        assert fresh.fetch(f"{server.url}/clip.mp4", None, tmp_path).path.read_bytes() == CONTENT
    assert files.fetch(f"{server.url}/clip.mp4", None, tmp_path).path.read_bytes() == CONTENT


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a name, as (certificate, key) files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_tls_is_verified_against_the_name_although_the_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path, "video.example")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    once = TransferPolicy(attempts=1)
    with (
        file_server(tls) as server,
        HttpFiles(once, AddressPolicy(allow_private=True), lambda _h, _p: ["127.0.0.1"]) as files,
    ):
        server.pages["/clip.mp4"] = Page(CONTENT)
        server.pages["/down"] = Page(redirect="http://video.example/clip.mp4")
        port = server.url.rsplit(":", 1)[1]
        good = files.fetch(f"https://video.example:{port}/clip.mp4", None, tmp_path / "cache")
        assert good.path.read_bytes() == CONTENT
        with pytest.raises(InputUnavailable, match=r"(?i)certificate"):
            files.fetch(f"https://other.example:{port}/clip.mp4", None, tmp_path / "cache")
        with pytest.raises(InputAddressForbidden, match="from https to http"):
            files.fetch(f"https://video.example:{port}/down", None, tmp_path / "cache")


PAGING = Paging(disk_bytes=1 << 20, block_bytes=4096)
DATE = "Mon, 06 Jul 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    "page",
    [Page(CONTENT), Page(CONTENT, etag=None, last_modified=DATE), Page(CONTENT, etag='W/"x"', last_modified=DATE)],
    ids=["etag", "date", "weak etag and date"],
)
def test_a_pod_reads_the_parts_that_it_needs(server: FileServer, files: HttpFiles, tmp_path: Path, page: Page) -> None:
    server.pages["/clip.mp4"] = page
    found = files.page(f"{server.url}/clip.mp4", None, tmp_path, PAGING)
    assert found is not None
    assert found.pages is not None
    again = files.page(f"{server.url}/clip.mp4", found.version, tmp_path, PAGING)
    assert again is not None
    assert again.pages is not None
    try:
        found.pages.ensure(7)
        assert found.pages.path.read_bytes()[7 << 12 : 8 << 12] == CONTENT[7 << 12 : 8 << 12]
        assert server.seen[-1][1]["If-Range"] == (DATE if page.last_modified else '"v1"')
        server.pages["/clip.mp4"] = Page(CONTENT[::-1], etag=page.etag, last_modified="Mon, 06 Jul 2026 10:00:01 GMT")
        if page.etag is None:
            with pytest.raises(InputChanged):
                found.pages.ensure(9)
    finally:
        found.pages.close()
        assert again.pages is not None
        again.pages.close()


@pytest.mark.parametrize(
    "page",
    [
        Page(CONTENT, etag=None),
        Page(CONTENT, etag='W/"x"'),
        Page(CONTENT, ranges=False),
        Page(CONTENT, etag=None, last_modified=DATE, dates_as_conditions=False),
    ],
    ids=["no pin", "weak etag", "no parts", "no part under a date"],
)
def test_what_has_no_parts_under_a_pin_is_copied_whole(
    server: FileServer, files: HttpFiles, tmp_path: Path, page: Page
) -> None:
    server.pages["/clip.mp4"] = page
    assert files.page(f"{server.url}/clip.mp4", None, tmp_path, PAGING) is None
