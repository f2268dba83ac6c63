"""What the Dockerfile leaves out of the image, against what the code asks for."""

from __future__ import annotations

import re

import pytest
from botocore.session import Session

from support.tree import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
CREDENTIALS = {"sts", "sso", "sso-oidc", "signin"}
"""Where botocore's providers of credentials may have to ask."""


def kept_services() -> set[str]:
    (names,) = re.findall(r'^ARG AWS_SERVICES="(.*)"$', DOCKERFILE, re.MULTILINE)
    return set(names.split())


def test_the_services_of_aws_that_are_called_are_kept() -> None:
    texts = [path.read_text() for path in (ROOT / "operator" / "src").rglob("*.py")]
    called = {name for text in texts for name in re.findall(r'client\(\s*"([a-z0-9-]+)"', text)}
    assert {"s3", "dynamodb", "service-quotas"} <= called
    assert called | CREDENTIALS <= kept_services()


def test_what_is_kept_is_there() -> None:
    assert kept_services() <= set(Session().get_available_services()) | {"signin"}


@pytest.mark.parametrize("line", re.findall(r"pip install .*", DOCKERFILE))
def test_packages_are_installed_by_hash_or_without_their_dependencies(line: str) -> None:
    assert "--require-hashes" in line or "--no-deps" in line


def test_the_version_that_the_image_names_is_the_projects() -> None:
    (version,) = re.findall(r"^ARG VERSION=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
