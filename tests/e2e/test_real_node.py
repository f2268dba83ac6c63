"""Jobs on a real node: from `kubectl apply` to results, shared servers, wrong jobs, and everything back to zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.cluster.videojobs import laptop_summary, servers, start, wait_for_no_server
from support.cluster.world import SYSTEM, World

pytestmark = pytest.mark.timeout(900)


def test_two_namespaces_share_one_server_and_get_the_laptops_results(real: World, tmp_path: Path) -> None:
    assert servers(real) == []
    jobs = [
        start(real, "shared", "good/", namespace=name, sampling={"everyNthFrame": 5}) for name in ("team-a", "team-b")
    ]
    for job in jobs:
        job.working()
    assert len(servers(real)) == 1
    assert [job.end() for job in jobs] == ["Completed"] * 2
    for job in jobs:
        folder = tmp_path / job.namespace
        folder.mkdir()
        assert job.summary() == laptop_summary(job, folder)
    wait_for_no_server(real)


def test_a_bad_video_among_good_ones_is_named_and_the_rest_is_done(real: World, tmp_path: Path) -> None:
    job = start(real, "mixed", "mixed/", sampling={"everyNthFrame": 10})
    assert job.end() == "PartiallyCompleted"
    assert "letter.mp4" in job.status["message"] or b"letter.mp4" in job.summary()
    assert job.summary() == laptop_summary(job, tmp_path)


@pytest.mark.parametrize(
    ("name", "spec", "reason"),
    [
        ("wrong-model", {"model": {"name": "cat_detector"}}, "ModelNotFound"),
        ("no-bucket", {"inputs": [{"s3": {"bucket": "no-such-bucket", "key": "a.mp4"}}]}, "InputNotFound"),
        ("with-file", {"inputs": [{"file": {"path": "a.mp4"}}]}, "UnsupportedField"),
        ("other-table", {"results": {"dynamodb": {"tableName": "somebody-elses"}}}, "TableNotAllowed"),
    ],
)
def test_a_wrong_job_fails_by_name_and_starts_no_server(
    real: World, name: str, spec: dict[str, Any], reason: str
) -> None:
    before = len(servers(real))
    job = start(real, name, "good/", **spec)
    assert job.end(60) == reason
    assert len(servers(real)) <= before


def test_a_worker_has_no_account_of_its_own_and_no_way_to_ask_for_another(real: World) -> None:
    job = start(real, "rights", "good/", sampling={"everyNthFrame": 5})
    job.working()
    spec = job.pods("worker")[0]["spec"]
    assert spec["serviceAccountName"] == "videojob-worker"
    assert spec["automountServiceAccountToken"] is False
    assert [volume for volume in spec["volumes"] if "projected" in volume or "secret" in volume] == []
    may = real.cluster.kubectl(
        *("auth", "can-i", "--list", "--as=system:serviceaccount:team-a:videojob-worker", "-n", "team-b")
    )
    assert "videojobs" not in may
    assert "pods" not in may
    assert job.end() == "Completed"


def test_a_deleted_job_leaves_nothing(real: World) -> None:
    job = start(real, "deleted", "good/")
    job.working()
    job.delete()
    left = real.cluster.kubectl(
        *("-n", job.namespace, "get", "jobs,pods,configmaps", "-l", f"videojob.dev/job-name={job.name}"),
        *("-o", "name"),
    )
    names = [line for line in left.splitlines() if "pod/" not in line]
    assert names == []
    wait_for_no_server(real)


def test_metrics_tell_of_the_controller(real: World) -> None:
    text = real.cluster.kubectl(
        "get", "--raw", f"/api/v1/namespaces/{SYSTEM}/services/videojob-controller:8080/proxy/metrics"
    )
    assert 'videojob_reconciles_total{kind="job",outcome="done"}' in text
    assert "videojob_leader 1.0" in text
