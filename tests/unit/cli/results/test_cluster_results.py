"""Where `videojob results` and `report` look: on this machine, in a table, or in that of a VideoJob on a cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.decisions import INSTALLATION, a_job
from support.job_states import job_object
from videojob.cli.results.cluster_results import JobTable, find_place, results_of
from videojob.cli.results.stored import Origin
from videojob.errors import UsageError
from videojob.kube.job_file import JOB_FILE
from videojob.kube.names import results_uid
from videojob.kube.render.jobs import config_map

NOWHERE = Origin()
IN_SPEC = {"results": {"dynamodb": {"tableName": "mine", "region": "eu-west-1"}}}
SETTLED = json.dumps({"cluster": {"table": "default-table", "region": "us-east-1"}})


@pytest.mark.parametrize(
    ("value", "file", "expected"),
    [
        (job_object(), "", (None, None)),
        (job_object(), "no JSON", (None, None)),
        (job_object(), "[]", (None, None)),
        (job_object(), SETTLED, ("default-table", "us-east-1")),
        (job_object(spec=IN_SPEC), "", ("mine", "eu-west-1")),
        (job_object(results={"table": "done-table"}), "", ("done-table", None)),
        (job_object(results={"table": "done-table"}), SETTLED, ("done-table", "us-east-1")),
    ],
)
def test_a_job_says_where_its_items_are(
    value: dict[str, Any], file: str, expected: tuple[str | None, str | None]
) -> None:
    assert results_of(value, file) == JobTable("team-a.u-1", *expected)


def test_what_the_jobs_pods_read_says_where_its_items_are() -> None:
    job = a_job()
    file = config_map(job, INSTALLATION)["data"][JOB_FILE]
    value = {"metadata": {"name": job.metadata.name, "namespace": job.metadata.namespace, "uid": job.metadata.uid}}
    assert results_of(value, file) == JobTable(
        results_uid(job.metadata), INSTALLATION.results.table, INSTALLATION.results.region
    )


@pytest.mark.parametrize(
    ("program", "origin", "expected"),
    [
        ("videojob", NOWHERE, False),
        ("videojob", replace(NOWHERE, cluster=True), True),
        ("videojob", replace(NOWHERE, context="eks"), True),
        ("videojob", replace(NOWHERE, kubeconfig=Path("config")), True),
        ("videojob", replace(NOWHERE, sink="dynamodb", table="t"), False),
        ("kubectl-videojob", NOWHERE, True),
        ("kubectl-videojob", replace(NOWHERE, sink="sqlite"), False),
    ],
)
def test_a_job_is_one_of_the_cluster_when_the_options_or_the_program_say_so(
    monkeypatch: pytest.MonkeyPatch, program: str, origin: Origin, expected: bool
) -> None:
    monkeypatch.setattr("sys.argv", [f"/usr/bin/{program}", "results"])
    assert origin.is_cluster is expected


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (replace(NOWHERE, cluster=True, sink="sqlite"), "results in DynamoDB"),
        (replace(NOWHERE, cluster=True, uid="u"), "the name and namespace identify"),
    ],
)
def test_options_that_exclude_each_other_are_refused(origin: Origin, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_place("a", origin)
