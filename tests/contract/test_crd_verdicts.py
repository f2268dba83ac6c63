"""The same verdict from pydantic and from a real kube-apiserver, for a table of good and of bad manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from support.apiserver import ApiServer, running_apiserver
from support.manifests.bad import BAD
from support.manifests.build import Case
from support.manifests.good import GOOD
from videojob.api.crd import crd_yaml
from videojob.api.problems import field_text
from videojob.api.videojob import VideoJob

JOBS = "/apis/videojob.dev/v1alpha1/namespaces/default/videojobs"
STRICT = {"fieldValidation": "Strict", "dryRun": "All"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        running.install_crd(crd_yaml())
        yield running


def fields_refused_by_pydantic(values: Mapping[str, Any]) -> list[str]:
    try:
        VideoJob.from_manifest(values)
    except ValidationError as error:
        return [field_text(detail["loc"]) for detail in error.errors()]
    return []


def fields_refused_by_server(answer: httpx.Response) -> list[str]:
    """The fields that a refusal names; empty for an accepted object."""
    if answer.is_success:
        return []
    status = answer.json()
    assert answer.status_code in (400, 422), status
    causes = [cause["field"] for cause in status.get("details", {}).get("causes", ())]
    unknown = re.findall(r'unknown field "([^"]+)"', status["message"])
    decoding = (
        ["metadata"] if "unable to decode" in status["message"] or "cannot unmarshal" in status["message"] else []
    )
    return [field for field in causes + unknown + decoding if field not in ("", "<nil>")] or [status["message"]]


def names(found: list[str], field: str) -> bool:
    """Whether a refusal names the field, or something inside it."""
    return any(one == field or one.startswith((field + ".", field + "[")) for one in found)


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_manifest_is_accepted_by_both_sides_with_the_same_defaults(server: ApiServer, case: Case) -> None:
    answer = server.client.post(JOBS, params=STRICT, json=case.manifest())
    assert answer.is_success, answer.text
    stored = {key: value for key, value in answer.json()["spec"].items() if value is not None}
    ours = VideoJob.from_manifest(case.manifest())
    assert stored == ours.spec.as_manifest()


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_manifest_is_refused_by_both_sides_naming_the_field(server: ApiServer, case: Case) -> None:
    assert names(fields_refused_by_pydantic(case.manifest()), case.field)
    answer = server.client.post(JOBS, params=STRICT, json=case.manifest())
    assert not answer.is_success
    assert names(fields_refused_by_server(answer), case.field), answer.text[:2000]
