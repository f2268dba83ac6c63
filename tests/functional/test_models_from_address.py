"""`videojob models add` from an address: the rules of http inputs hold, and the digest decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from support.command import videojob
from support.http_server import FileServer, Page, file_server
from support.inputs import loopback_http
from support.onnx_graphs import answering
from support.workshop import YOLO, Workshop
from videojob.adapters.inputs.addresses import AddressPolicy
from videojob.adapters.inputs.http_files import HttpFiles
from videojob.adapters.inputs.transfer import TransferPolicy
from videojob.errors import InputUnavailable, SetupError, UsageError
from videojob.local.models.fetch import model_file

MODEL = answering(YOLO).SerializeToString()
SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        running.pages["/cars.onnx"] = Page(MODEL)
        yield running


def test_a_model_at_an_address_is_added_as_its_file_would_be(server: FileServer, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    with model_file(f"{server.url}/cars.onnx?sig=x", SHA256.upper(), tmp_path / "downloads", loopback_http) as path:
        assert onnx.load(path) == answering(YOLO)
        workshop.add(path=path)
    assert workshop.left_behind() == ["cars"]
    assert list((tmp_path / "downloads").iterdir()) == []


def test_another_digest_shows_both_and_yields_no_file(server: FileServer, tmp_path: Path) -> None:
    expected = "0" * 64
    with (
        pytest.raises(SetupError) as refusal,
        model_file(f"{server.url}/cars.onnx?sig=x", expected, tmp_path, loopback_http),
    ):
        pytest.fail("the file was handed to the caller")
    assert f"expected {expected}, found {SHA256}" in str(refusal.value)
    assert "sig=x" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_download_is_continued(server: FileServer, tmp_path: Path) -> None:
    server.pages["/cars.onnx"].cuts.extend([0, 100])

    def once() -> HttpFiles:
        return HttpFiles(TransferPolicy(attempts=1), AddressPolicy(allow_private=True))

    with pytest.raises(InputUnavailable), model_file(f"{server.url}/cars.onnx", SHA256, tmp_path, once):
        pytest.fail("the download was cut")
    with model_file(f"{server.url}/cars.onnx", SHA256, tmp_path, once) as path:
        assert path.read_bytes() == MODEL
    assert server.seen[-1][1]["Range"] == "bytes=100-"


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64])
def test_a_malformed_digest_is_wrong_usage(tmp_path: Path, digest: str) -> None:
    with pytest.raises(UsageError, match="64 hexadecimal digits"), model_file("a.onnx", digest, tmp_path):
        pytest.fail("the file was handed to the caller")


def test_a_path_is_verified_where_a_digest_is_given(tmp_path: Path) -> None:
    path = tmp_path / "cars.onnx"
    path.write_bytes(MODEL)
    with model_file(str(path), f"sha256:{SHA256}", tmp_path) as found:
        assert found == path
    with pytest.raises(SetupError, match="another sha256"), model_file(str(path), "0" * 64, tmp_path):
        pytest.fail("the file was handed to the caller")
    assert path.exists()


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [((), 2, "a model from an address needs --sha256"), (("--sha256", SHA256), 1, "InputAddressForbidden")],
    ids=["no digest", "loopback"],
)
def test_the_command_needs_a_digest_and_leads_to_no_private_address(
    server: FileServer, tmp_path: Path, more: tuple[str, ...], code: int, words: str
) -> None:
    arguments = ["models", "add", f"{server.url}/cars.onnx", "--name", "cars", "--decoder", "yolo"]
    done = videojob(*arguments, "--repository", tmp_path, *more)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert server.seen == []
