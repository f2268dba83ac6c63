"""Where `results` and `report` read from: this machine, a table that was named, or that of a VideoJob on a cluster.

A job is one of the cluster with --cluster, --kubeconfig or --context, and as `kubectl videojob` unless --sink says
otherwise. Its uid, table and region are read there, its items with the user's own AWS credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from videojob.api.metadata import Metadata
from videojob.cli.cluster.connection import Access, ContextOption, KubeconfigOption, connected, stored_job
from videojob.cli.program import is_plugin
from videojob.cli.results.stored import Place, SinkKind, Which, place
from videojob.errors import ClusterRefused, SetupError, UsageError
from videojob.kube.job_file import JOB_FILE, results_place
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import JOB_UID, results_uid
from videojob.kube.read.job_state import job_state
from videojob.local.record import OUTPUT_ROOT
from videojob.local.run_types import SinkConfig
from videojob.ports.cluster import Cluster, Object

ClusterOption = Annotated[
    bool,
    typer.Option(
        "--cluster",
        help="Of a VideoJob on a cluster; also by --kubeconfig, --context and as `kubectl videojob`.",
    ),
]

__all__ = ["ClusterOption", "ContextOption", "KubeconfigOption", "Origin", "find_place", "results_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the options say about where results are; None for what was not given."""

    cluster: bool
    kubeconfig: Path | None
    context: str | None
    sink: SinkKind | None
    table: str | None
    region: str | None
    endpoint_url: str | None

    @property
    def is_cluster(self) -> bool:
        """Whether a VideoJob on a cluster is meant."""
        asked = self.cluster or self.kubeconfig is not None or self.context is not None
        return asked or (is_plugin() and self.sink is None)


@dataclass(frozen=True, slots=True)
class JobTable:
    """Where a job's items are: its identity there, the table, its region; None for what is not known."""

    uid: str
    table: str | None
    region: str | None


def find_place(which: Which, output: Path | None, origin: Origin) -> Place:
    """The place that the options name.

    Raises:
        UsageError: the options exclude each other, or name no table.
        SetupError: there is no such database, cluster or job.
    """
    table, region, endpoint_url = origin.table, origin.region, origin.endpoint_url
    if not origin.is_cluster:
        return place(which, output, origin.sink or "sqlite", table=table, region=region, endpoint_url=endpoint_url)
    if origin.sink is not None:
        raise UsageError("a VideoJob on a cluster has its results in DynamoDB", hint="Leave --sink out.")
    if which.uid is not None:
        raise UsageError("on a cluster a job's name says which one is meant", hint="Leave --uid out.")
    with connected(Access(origin.kubeconfig, origin.context, which.namespace)) as there:
        value = stored_job(there.api, there.namespace, which.name)
        found = results_of(value, "" if table and region else _job_file(there.api, value))
    if (table or found.table) is None:
        raise SetupError(
            f"nothing says which table has the results of {there.namespace}/{which.name}",
            hint="Give --table: the administrator knows the value results.table of the installation.",
        )
    config = SinkConfig(
        "dynamodb", table=table or found.table, region=region or found.region, endpoint_url=endpoint_url
    )
    exact = Which(which.name, there.namespace, found.uid)
    return Place(exact, output or OUTPUT_ROOT / which.name, config, job_state(value))


def results_of(value: Object, file: str) -> JobTable:
    """Where a VideoJob's items are.

    Args:
        value: its object.
        file: what its pods read, the one place that has an installation's defaults; "" when it is not to be had.
    """
    spec, status = value.get("spec") or {}, value.get("status") or {}
    target = (spec.get("results") or {}).get("dynamodb") or {}
    settled_table, settled_region = results_place(file)
    table = (status.get("results") or {}).get("table") or settled_table or target.get("tableName")
    return JobTable(results_uid(_metadata(value)), table, settled_region or target.get("region"))


def _job_file(cluster: Cluster, value: Object) -> str:
    """What the job's pods read; "" before the job was begun, and for a user who may not read it."""
    metadata = _metadata(value)
    try:
        found = list(cluster.list(CONFIG_MAPS, metadata.namespace, labels=f"{JOB_UID}={metadata.uid}"))
    except ClusterRefused:
        return ""
    newest = max(found, key=lambda one: str(one["metadata"].get("creationTimestamp", "")), default=None)
    return "" if newest is None else str((newest.get("data") or {}).get(JOB_FILE, ""))


def _metadata(value: Object) -> Metadata:
    given = value["metadata"]
    return Metadata.model_validate({name: given[name] for name in ("name", "namespace", "uid")})
