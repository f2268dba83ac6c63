"""Servers that several contract tests share; each is started once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.apiserver import ApiServer, running_apiserver
from support.dynamodb import AWS_ENVIRONMENT, FaultyDynamoDb, dynamodb_local, faulty_proxy
from videojob.api.schema.crd import crd_yaml


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real kube-apiserver that serves the generated CRD."""
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        running.install_crd(crd_yaml())
        yield running


@pytest.fixture(scope="session")
def dynamodb_url() -> Iterator[str]:
    """A DynamoDB; each test makes a table of its own."""
    with dynamodb_local() as url:
        yield url


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for that DynamoDB in the environment, and nothing of the machine's own."""
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def proxy(dynamodb_url: str, aws: None) -> Iterator[FaultyDynamoDb]:
    """A proxy of the test's own before that DynamoDB."""
    with faulty_proxy(dynamodb_url) as proxy:
        yield proxy
