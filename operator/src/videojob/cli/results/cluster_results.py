"""Where `results` and `report` read from: this machine, a table that was named, or that of a VideoJob on a cluster.

A job is one of the cluster with --cluster, --kubeconfig or --context, and as `kubectl videojob` unless --sink says
otherwise. Its uid, table and region are read there, its items with the user's own AWS credentials.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob.api.metadata import Metadata
from videojob.cli.cluster.connection import Access, connected, stored_job
from videojob.cli.results.stored import Origin, Place, Which, place
from videojob.errors import ClusterRefused, SetupError, UsageError
from videojob.kube.job_file import JOB_FILE, results_place
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import JOB_UID, results_uid
from videojob.kube.read.job_state import job_state
from videojob.local.record import OUTPUT_ROOT
from videojob.local.run_types import SinkConfig
from videojob.ports.cluster import Cluster, Object


@dataclass(frozen=True, slots=True)
class JobTable:
    """Where a job's items are: its identity there, the table, its region; None for what is not known."""

    uid: str
    table: str | None
    region: str | None


def find_place(name: str, origin: Origin) -> Place:
    """The place that the options name.

    Raises:
        UsageError: the options exclude each other, or name no table.
        SetupError: there is no such database, cluster or job.
    """
    if not origin.is_cluster:
        return place(name, origin)
    if origin.sink is not None:
        raise UsageError("a VideoJob on a cluster has its results in DynamoDB", hint="Leave --sink out.")
    if origin.uid is not None:
        raise UsageError("on a cluster the name and namespace identify a job", hint="Leave --uid out.")
    with connected(Access(origin.namespace, origin.kubeconfig, origin.context)) as there:
        value = stored_job(there.api, there.namespace, name)
        found = results_of(value, "" if origin.table and origin.region else _job_file(there.api, value))
    table = origin.table or found.table
    if table is None:
        raise SetupError(
            f"no table is known for the results of {there.namespace}/{name}",
            hint="Give --table: it is the chart's value results.table, which the administrator knows.",
        )
    region = origin.region or found.region
    config = SinkConfig("dynamodb", table=table, region=region, endpoint_url=origin.endpoint_url)
    exact = Which(name, there.namespace, found.uid)
    return Place(exact, origin.output or OUTPUT_ROOT / name, config, job_state(value))


def results_of(value: Object, file: str) -> JobTable:
    """Where a VideoJob's items are.

    Args:
        value: its object.
        file: what its pods read, the one place that has an installation's defaults; "" when it is not available.
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
