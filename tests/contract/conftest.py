"""Servers that several contract tests share; each is started once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.apiserver import ApiServer, running_apiserver
from videojob.api.crd import crd_yaml


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real kube-apiserver that serves the generated CRD."""
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        running.install_crd(crd_yaml())
        yield running
