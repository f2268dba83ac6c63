"""The same verdict from pydantic and from a real kube-apiserver, for a table of good and of bad manifests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from support.apiserver import ApiServer
from support.manifests.bad import BAD
from support.manifests.build import Case, manifest
from support.manifests.good import GOOD
from videojob.api.loading.problems import field_text
from videojob.api.videojob import VideoJob

pytestmark = pytest.mark.timeout(3600)  # the first run may have to build the apiserver
JOBS = "/apis/videojob.dev/v1alpha1/namespaces/default/videojobs"
DECIMALS = ("framesPerSecond", "threshold", "maxCost")
STRICT = {"fieldValidation": "Strict", "dryRun": "All"}


def fields_refused_by_pydantic(values: Mapping[str, Any]) -> list[str]:
    try:
        VideoJob.from_manifest(values)
    except ValidationError as error:
        return [field_text(detail["loc"]) for detail in error.errors()]
    return []


def fields_refused_by_server(answer: httpx.Response) -> list[str]:
    """The fields that a refusal names."""
    status = answer.json()
    assert answer.status_code in (400, 422), status
    causes = [cause["field"] for cause in status.get("details", {}).get("causes", ())]
    unknown = re.findall(r'unknown field "([^"]+)"', status["message"])
    # A wrong type inside metadata breaks the decoding of all of it, before any field is looked at.
    decoding = ["metadata"] if "cannot unmarshal" in status["message"] else []
    return causes + unknown + decoding


def names(found: list[str], field: str) -> bool:
    """Whether a refusal names the field, or something inside it."""
    return any(one == field or one.startswith((field + ".", field + "[")) for one in found)


def with_decimals_as_text(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with the whole numbers of int-or-string fields as text: the server keeps them as they were sent."""
    return {
        name: with_decimals_as_text(value)
        if isinstance(value, Mapping)
        else str(value)
        if name in DECIMALS and isinstance(value, int)
        else value
        for name, value in spec.items()
    }


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_manifest_is_accepted_by_both_sides_with_the_same_defaults(apiserver: ApiServer, case: Case) -> None:
    answer = apiserver.client.post(JOBS, params=STRICT, json=case.manifest())
    assert answer.is_success, answer.text
    stored = {key: value for key, value in answer.json()["spec"].items() if value is not None}
    ours = VideoJob.from_manifest(case.manifest())
    assert with_decimals_as_text(stored) == ours.spec.as_manifest()


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_manifest_is_refused_by_both_sides_naming_the_field(apiserver: ApiServer, case: Case) -> None:
    assert names(fields_refused_by_pydantic(case.manifest()), case.field)
    answer = apiserver.client.post(JOBS, params=STRICT, json=case.manifest())
    assert not answer.is_success
    assert names(fields_refused_by_server(answer), case.field), answer.text[:2000]


VALID = {
    "spec.aggregation.window": ("10s", "1m30s", "59m", "1s500ms"),
    "spec.model.threshold": ("0", "0.35", "1.000000"),
    "spec.budget.maxCost": ("0.01", "12.5", "10000000"),
    "spec.sampling.framesPerSecond": ("0.001", "29.97", "240"),
    "spec.inputs[0].file.path": ("a/b.mp4", "./12:30.mp4", "/videos/a..b/c.mp4", "..a/b.."),
    "spec.inputs[0].http.url": (
        "https://media.example.com:8443/a.mp4?x=1",
        "http://93.184.216.34/a",
        "http://[2606:2800::1]/a",
        "http://a.local.example.com",
    ),
    "spec.inputs[0].s3.bucket": ("my.videos-1", "abc"),
    "spec.inputs[0].s3.key": ("a/../b", "a/b..c/d"),
    "spec.compute.instanceTypes[0]": ("g6.xlarge", "u-6tb1.metal"),
    "spec.notifications.success.snsTopicArn": ("arn:aws:sns:eu-central-1:123456789012:done.fifo",),
    "spec.results.dynamodb.region": ("eu-central-1", "us-gov-west-1"),
    "spec.priorityClassName": ("a.b-c",),
    "metadata.name": ("lobby-1",),
}
LETTERS = "0129azAZ.-_/:@[]%#?\\ msh+,\n\t\x7f\u00e4\u0661\u212a"
SOURCES = {"http": {}, "s3": {"key": "a"}}


@st.composite
def near_misses(draw: st.DrawFn) -> tuple[str, str]:
    """(field, a good value with up to three characters taken out, put in or replaced)."""
    field = draw(st.sampled_from(sorted(VALID)))
    text = draw(st.sampled_from(VALID[field]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        taken = draw(st.integers(0, 1))
        text = text[:at] + draw(st.text(LETTERS, max_size=1)) + text[at + taken :]
    return field, text


def near_miss_manifest(field: str, text: str) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for kind, source in SOURCES.items():
        if f".{kind}." in field:
            changes["spec.inputs"] = [{kind: source if kind == "http" else {"bucket": "videos", **source}}]
    if "instanceTypes" in field:
        changes["spec.compute.instanceTypes"] = [""]
    return manifest({**changes, field: text})


@settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(near_misses())
def test_near_misses_get_the_same_verdict_from_both_sides(apiserver: ApiServer, case: tuple[str, str]) -> None:
    values = near_miss_manifest(*case)
    answer = apiserver.client.post(JOBS, params=STRICT, json=values)
    assert answer.is_success == (not fields_refused_by_pydantic(values)), answer.text[:1000]
