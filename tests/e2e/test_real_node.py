"""Jobs on a real node: from `kubectl apply` to results, shared servers, wrong jobs, and everything back to zero."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support.cluster.processes import wait_for
from support.cluster.videojobs import job_keys, laptop_summary, servers, start, wait_for_no_server
from support.cluster.world import BROKEN_MODEL, CHANGED_MODEL, CREDENTIALS, SYSTEM, World
from support.command import videojob

pytestmark = pytest.mark.timeout(900)


def test_two_namespaces_share_one_server_and_get_the_laptops_results(real: World, tmp_path: Path) -> None:
    wait_for_no_server(real)  # that of an earlier test's job
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
    owners = {f"{job.namespace}.{job.read()['metadata']['uid']}" for job in jobs}
    keys = {key.partition("#")[0] for key in job_keys(real)}
    assert owners <= keys
    assert {key.partition(".")[0] for key in keys} <= {"team-a", "team-b", SYSTEM}, "the policy goes by namespaces"
    wait_for_no_server(real)


def test_a_bad_video_among_good_ones_is_named_and_the_rest_is_done(real: World, tmp_path: Path) -> None:
    job = start(real, "mixed", "mixed/", sampling={"everyNthFrame": 10})
    assert job.end() == "PartiallyCompleted"
    assert "letter.mp4" in job.status["message"]
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


@pytest.mark.parametrize(
    ("model", "words"),
    [(CHANGED_MODEL, "the installation pins sha256:0000"), (BROKEN_MODEL, "Protobuf parsing failed")],
)
def test_a_model_that_does_not_load_fails_its_job_with_the_servers_own_words(
    real: World, model: str, words: str
) -> None:
    job = start(real, model.replace("_", "-"), "good/", model={"name": model})
    assert job.end(400) == "ModelLoadFailed"
    assert words in job.status["message"]
    wait_for_no_server(real)


@pytest.mark.parametrize(
    "spec",
    [
        {"serviceAccountName": "videojob-controller"},
        {"template": {"spec": {"containers": [{"name": "mine", "image": "mine"}]}}},
        {"targetNamespace": "team-b"},
    ],
    ids=lambda spec: next(iter(spec)),
)
def test_a_videojob_cannot_name_an_account_a_pod_or_another_namespace(real: World, spec: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=f'unknown field "{next(iter(spec))}"'):
        start(real, "intruder", "good/", **spec)


def test_a_worker_has_no_account_of_its_own_and_no_way_to_ask_for_another(real: World) -> None:
    job = start(real, "rights", "good/", sampling={"everyNthFrame": 5})
    job.working()
    spec = job.pods("worker")[0]["spec"]
    assert spec["serviceAccountName"] == "videojob-worker"
    assert spec["automountServiceAccountToken"] is False
    assert [volume for volume in spec["volumes"] if "projected" in volume or "secret" in volume] == []
    for namespace in ("team-a", "team-b", SYSTEM):
        may = real.cluster.kubectl(
            *("auth", "can-i", "--list", "--as=system:serviceaccount:team-a:videojob-worker", "-n", namespace)
        )
        assert [
            line for line in may.splitlines() if re.match(r"(videojobs|pods|jobs|secrets|serviceaccounts)", line)
        ] == []
    assert job.end() == "Completed"


def test_people_follow_a_job_by_the_commands(real: World) -> None:
    job = start(real, "followed", "good/carphone", sampling={"everyNthFrame": 10})
    where = ("--kubeconfig", real.cluster.kubeconfig, "--namespace", job.namespace)
    watched = videojob("watch", job.name, *where)
    assert (watched.code, "Completed" in watched.out + watched.err) == (0, True), watched
    logs = videojob("logs", job.name, *where)
    assert logs.code == 0, logs.err
    assert re.search(r"^followed-\S+-plan-1-\S+ \S+ INFO +.*segments=1", logs.out, re.MULTILINE), logs.out
    assert re.search(r"^followed-\S+-work-1-0-\S+ \S+ INFO ", logs.out, re.MULTILINE), logs.out
    found = videojob("results", job.name, *where, "--endpoint-url", real.dynamodb_url, **CREDENTIALS)
    assert (found.code, "Completed" in found.out) == (0, True), found


def test_a_deleted_job_leaves_nothing(real: World) -> None:
    job = start(real, "deleted", "good/")
    job.working()
    job.delete()
    wait_for("nothing to be left of it", lambda: not job.children() or None, 120)
    wait_for_no_server(real)


def test_metrics_tell_of_the_controller(real: World) -> None:
    text = real.cluster.kubectl(
        "get", "--raw", f"/api/v1/namespaces/{SYSTEM}/services/videojob-controller:8080/proxy/metrics"
    )
    assert 'videojob_reconciles_total{kind="job",outcome="done"}' in text
    assert "videojob_leader 1.0" in text
