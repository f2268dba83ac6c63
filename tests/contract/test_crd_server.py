"""What a real kube-apiserver makes of the CRD: structure, columns, status, updates. kubeconform reads it too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from support.apiserver import CRDS, ROOT, ApiServer
from support.manifests.build import ABSENT, manifest
from support.manifests.good import GOOD
from videojob.api.schema.crd import crd, crd_yaml
from videojob.api.status import VideoJobStatus

pytestmark = pytest.mark.timeout(3600)  # the first run may have to build the apiserver
JOBS = "/apis/videojob.dev/v1alpha1/namespaces/default/videojobs"
CRD = f"{CRDS}/videojobs.videojob.dev"
NOW = "2026-01-31T12:00:00Z"
STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "conditions": [
        {"type": "Succeeded", "status": "Unknown", "reason": "Processing", "message": "", "lastTransitionTime": NOW}
    ],
    "startTime": NOW,
    "completionTime": "2026-01-31T12:00:00.5+01:00",
    "progress": {
        "framesDone": 8400,
        "framesTotal": 18000,
        "segmentsDone": 9,
        "segmentsTotal": 20,
        "progressPercentage": 46,
        "estimatedRemainingSeconds": 23,
        "lastUpdatedTime": NOW,
    },
    "throughput": {"framesPerSecond": "412.5", "meanBatch": "14.2"},
    "cost": {
        "accrued": "0.07",
        "forecast": "0.15",
        "breakdown": {"decode": "0.02", "inference": "0.05", "coldStart": "0", "idle": "0", "writes": "0"},
        "wasted": "0.001",
        "priceSource": "karpenter",
        "priceTime": NOW,
    },
    "placement": {
        "backend": "kubernetes",
        "instanceType": "g6.xlarge",
        "capacityType": "spot",
        "replicas": 2,
        "gpus": 2,
        "why": "cheapest that meets 1h30m",
        "runnersUp": [{"backend": "lambda", "cost": "0.22", "whyNot": "dearer"}],
    },
    "results": {"table": "videojob", "summaryKey": "uid#1/SUMMARY"},
    "columns": {"progress": "8400/18000", "framesPerSecond": "412", "gpus": "2", "eta": "23s", "cost": "$0.07"},
    "epoch": 1,
    "message": "",
}


@contextmanager
def stored_job(server: ApiServer, values: Mapping[str, Any], status: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """A job in the cluster, with a status if one is given; deleted at the end."""
    created = server.client.post(JOBS, json=values)
    assert created.is_success, created.text
    path = f"{JOBS}/{values['metadata']['name']}"
    try:
        if status is None:
            yield created.json()
        else:
            answer = server.client.put(f"{path}/status", json={**created.json(), "status": status})
            assert answer.is_success, answer.text
            yield answer.json()
    finally:
        assert server.client.delete(path).is_success


def test_the_crd_is_structural_and_its_names_are_accepted(apiserver: ApiServer) -> None:
    conditions = apiserver.client.get(CRD).json()["status"]["conditions"]
    assert {item["type"]: item["status"] for item in conditions} == {"NamesAccepted": "True", "Established": "True"}


def test_the_apiserver_keeps_the_schema_as_it_was_generated(apiserver: ApiServer) -> None:
    stored = apiserver.client.get(CRD).json()["spec"]["versions"][0]
    generated = crd()["spec"]["versions"][0]
    assert stored["schema"] == generated["schema"]
    assert stored["additionalPrinterColumns"] == generated["additionalPrinterColumns"]


def test_discovery_offers_short_name_and_categories(apiserver: ApiServer) -> None:
    resources = apiserver.client.get("/apis/videojob.dev/v1alpha1").json()["resources"]
    job = next(item for item in resources if item["name"] == "videojobs")
    assert job["shortNames"] == ["vj"]
    assert job["categories"] == ["all", "video"]
    assert any(item["name"] == "videojobs/status" for item in resources)


def table(server: ApiServer, name: str) -> dict[str, Any]:
    accept = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    answer = server.client.get(f"{JOBS}/{name}", headers=accept).json()
    names = [column["name"] for column in answer["columnDefinitions"]]
    return dict(zip(names, answer["rows"][0]["cells"], strict=True))


def test_get_shows_status_progress_speed_gpus_eta_cost_and_age_and_the_message_when_wide(apiserver: ApiServer) -> None:
    with stored_job(apiserver, manifest(), STATUS):
        row = table(apiserver, "lobby")
    short, wide = [*row][:8], [*row][8:]
    assert short == ["Name", "Status", "Progress", "FPS", "GPUs", "ETA", "Cost", "Age"]
    assert wide == ["Message", "Finished", "TTL", "Observed"]
    assert list(row.values())[:7] == ["lobby", "Processing", "8400/18000", "412", "2", "23s", "$0.07"]


def test_get_shows_a_job_that_nobody_has_looked_at_yet(apiserver: ApiServer) -> None:
    with stored_job(apiserver, manifest()):
        row = table(apiserver, "lobby")
    assert row["Name"] == "lobby"
    assert row["Status"] is None


def test_a_full_status_is_accepted_by_both_sides_unchanged(apiserver: ApiServer) -> None:
    with stored_job(apiserver, manifest(), STATUS) as stored:
        assert stored["status"] == STATUS
    assert VideoJobStatus.model_validate(STATUS).as_manifest() == STATUS


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("conditions", {"conditions": [STATUS["conditions"][0]] * 2}),
        ("conditions", {"conditions": [{**STATUS["conditions"][0], "type": "Happy"}]}),
        ("conditions", {"conditions": [{**STATUS["conditions"][0], "reason": "not one word"}]}),
        ("conditions", {"conditions": [{**STATUS["conditions"][0], "lastTransitionTime": "yesterday"}]}),
        ("progress", {"progress": {"framesDone": -1}}),
        ("progress", {"progress": {"framesDone": 0.5}}),
        ("progress", {"progress": {"progressPercentage": 101}}),
        ("throughput", {"throughput": {"framesPerSecond": 412.5}}),
        ("cost", {"cost": {"accrued": "-1"}}),
        ("cost", {"cost": {"priceSource": "guess"}}),
        ("placement", {"placement": {"replicas": 1}}),
        ("placement", {"placement": {"backend": "kubernetes", "runnersUp": [{"backend": "x"}] * 11}}),
        ("epoch", {"epoch": 0}),
        ("message", {"message": "a" * 5000}),
        ("startTime", {"startTime": "2026-01-31"}),
    ],
)
def test_a_bad_status_is_refused_by_both_sides(apiserver: ApiServer, field: str, status: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        VideoJobStatus.model_validate(status)
    assert str(refusal.value.errors()[0]["loc"][0]) == field
    with stored_job(apiserver, manifest()) as stored:
        answer = apiserver.client.put(f"{JOBS}/lobby/status", json={**stored, "status": status})
        assert answer.status_code == 422, answer.text
        assert f"status.{field}" in answer.text


def test_status_and_spec_are_written_apart(apiserver: ApiServer) -> None:
    with stored_job(apiserver, manifest()) as stored:
        with_status = {**stored, "status": STATUS, "spec": {**stored["spec"], "backoffLimit": 9}}
        spec_only = apiserver.client.put(f"{JOBS}/lobby", json=with_status).json()
        assert "status" not in spec_only
        assert spec_only["spec"]["backoffLimit"] == 9
        status_only = apiserver.client.put(
            f"{JOBS}/lobby/status", json={**with_status, "metadata": spec_only["metadata"]}
        )
        assert status_only.json()["spec"]["backoffLimit"] == 9
        assert status_only.json()["status"] == STATUS


FULL = {**next(case for case in GOOD if case.name == "everything").changes, "spec.resumes": 7}
UPDATES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, ""),
    ({"spec.suspend": False}, ""),
    ({"spec.budget.maxCost": "99"}, ""),
    ({"spec.budget": ABSENT}, ""),
    ({"spec.deadline.completeWithin": "30m"}, ""),
    ({"spec.deadline": ABSENT}, ""),
    ({"metadata.labels": {"team": "other"}}, ""),
    ({"spec.sampling.gate.maxSkip": "501ms"}, "spec.sampling"),
    ({"spec.inputs[0].name": "z"}, "spec.inputs"),
    ({"spec.inputs": [{"http": {"url": "https://example.com/other"}}]}, "spec.inputs"),
    ({"spec.model.version": 4}, "spec.model"),
    ({"spec.sampling": ABSENT}, "spec.sampling"),
    ({"spec.aggregation.track": False}, "spec.aggregation"),
    ({"spec.compute.limits.gpus": 5}, "spec.compute"),
    ({"spec.results.preview": ABSENT}, "spec.results"),
    ({"spec.notifications": ABSENT}, "spec.notifications"),
    ({"spec.onCorruption": "Fail"}, "spec.onCorruption"),
    ({"spec.backoffLimit": 1}, "spec.backoffLimit"),
    ({"spec.activeDeadlineSeconds": 7201}, "spec.activeDeadlineSeconds"),
    ({"spec.activeDeadlineSeconds": ABSENT}, "spec.activeDeadlineSeconds"),
    ({"spec.ttlSecondsAfterFinished": 60}, "spec.ttlSecondsAfterFinished"),
    ({"spec.priorityClassName": "high"}, "spec.priorityClassName"),
    ({"spec.resumes": 8}, ""),
    ({"spec.resumes": 8, "spec.backoffLimit": 1, "spec.activeDeadlineSeconds": ABSENT}, ""),
    ({"spec.resumes": 8, "spec.model.version": 4}, "spec.model"),
    ({"spec.resumes": 6}, "spec.resumes"),
    ({"spec.resumes": ABSENT}, "spec.resumes"),
)


def _update_id(changes: object) -> str | None:
    """Names a test by what it changes; None lets pytest name the other parameters."""
    if not isinstance(changes, dict):
        return None
    return ", ".join(f"no {field}" if value is ABSENT else field for field, value in changes.items()) or "nothing"


@pytest.mark.parametrize(("changes", "field"), UPDATES, ids=_update_id)
def test_a_started_job_changes_only_where_both_sides_allow_it(
    apiserver: ApiServer, changes: dict[str, Any], field: str
) -> None:
    old, new = manifest(FULL), manifest(FULL, changes)
    with stored_job(apiserver, old, STATUS) as stored:
        answer = _update(apiserver, stored, new)
    causes = [] if answer.is_success else [cause["field"] for cause in answer.json()["details"]["causes"]]
    assert causes == ([field] if field else [])


@pytest.mark.parametrize("changes", [changes for changes, _ in UPDATES], ids=_update_id)
def test_before_its_start_a_job_may_still_change(apiserver: ApiServer, changes: dict[str, Any]) -> None:
    old, new = manifest(FULL, {"spec.resumes": 0}), manifest(FULL, changes)
    waiting = {"conditions": STATUS["conditions"]}
    with stored_job(apiserver, old, waiting) as stored:
        assert _update(apiserver, stored, new).is_success


def _update(server: ApiServer, stored: Mapping[str, Any], new: Mapping[str, Any]) -> httpx.Response:
    version = stored["metadata"]["resourceVersion"]
    changed = {**new, "metadata": {**new["metadata"], "resourceVersion": version}}
    return server.client.put(f"{JOBS}/{new['metadata']['name']}", json=changed, params={"fieldValidation": "Strict"})


@pytest.fixture(scope="session")
def kubeconform() -> Path:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kube-tools", "kubeconform"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=True,
    )
    return Path(done.stdout.splitlines()[-1]) / "kubeconform"


def conform(program: Path, schemas: Path, text: str) -> dict[str, Any]:
    location = str(schemas / "{{.ResourceKind}}.json")
    command = [str(program), "-strict", "-summary", "-output", "json", "-schema-location", location, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_kubeconform_accepts_the_crd(apiserver: ApiServer, kubeconform: Path, tmp_path: Path) -> None:
    schemas = apiserver.client.get("/openapi/v3/apis/apiextensions.k8s.io/v1").json()["components"]["schemas"]
    name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
    wanted = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    (tmp_path / "customresourcedefinition.json").write_text(json.dumps(wanted))
    assert conform(kubeconform, tmp_path, crd_yaml())["summary"] == {
        "valid": 1,
        "invalid": 0,
        "errors": 0,
        "skipped": 0,
    }
    broken = crd_yaml().replace("scope: Namespaced", "scope: 7")
    assert conform(kubeconform, tmp_path, broken)["summary"]["invalid"] == 1


def test_kubeconform_accepts_every_good_manifest_by_the_crds_own_schema(kubeconform: Path, tmp_path: Path) -> None:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    (tmp_path / "videojob.json").write_text(json.dumps(schema))
    manifests = [case.manifest() for case in GOOD if "null" not in case.name]
    report = conform(kubeconform, tmp_path, "\n---\n".join(map(json.dumps, manifests)))
    assert report["resources"] == []
    assert report["summary"] == {"valid": len(manifests), "invalid": 0, "errors": 0, "skipped": 0}
