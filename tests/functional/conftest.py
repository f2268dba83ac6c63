"""Servers that several functional tests share; each is started once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dynamodb import dynamodb_local
from support.s3 import moto_server
from support.triton import EMULATED_MODEL, start, write_emulated, write_filter
from videojob.local.models.ready import ensure_built
from videojob.local.triton.server import EmbeddedTriton


@pytest.fixture(scope="session")
def filter_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository for the official image with the ONNX model `filter`."""
    repository = tmp_path_factory.mktemp("repository")
    write_filter(repository)
    return repository


@pytest.fixture(scope="session")
def filter_server(filter_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTriton]:
    """An embedded server with the ONNX model `filter`."""
    with start(filter_repository, "filter", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def quick_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTriton]:
    """An embedded server with the emulated accelerator, made fast: 2 ms a batch."""
    folder = tmp_path_factory.mktemp("emulated")
    write_emulated(folder, changes={'string_value: "20"': 'string_value: "2"'})
    with start(folder, EMULATED_MODEL, folder) as server:
        yield server


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """An S3 without buckets."""
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def results_url() -> Iterator[str]:
    """A DynamoDB; each test makes a table of its own."""
    with dynamodb_local() as url:
        yield url


@pytest.fixture(scope="session")
def face_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTriton]:
    """An embedded server with the face detector."""
    with start(ensure_built("face_detector"), "face_detector", tmp_path_factory.mktemp("faces")) as server:
        yield server
