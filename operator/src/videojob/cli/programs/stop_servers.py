"""`videojob stop-servers`: the dead-man's switch of the chart, for a CronJob."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from videojob.adapters.clock import SystemClock
from videojob.adapters.kubernetes.api import connect_cluster
from videojob.controller.fleet.unattended import stop_unattended
from videojob.worker.process.logs import log_json


def stop_servers(
    *,
    namespace: Annotated[str, typer.Option(help="Namespace of the controller and its servers.")],
    after_minutes: Annotated[
        float, typer.Option(min=1, help="Time since the last renewal of the Lease, minutes.")
    ] = 30.0,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Kubeconfig to use instead of the pod's service account.")
    ] = None,
) -> None:
    """Scale inference servers to zero when no controller has renewed its Lease in time."""
    log_json({"component": "switch"})
    cluster = connect_cluster(kubeconfig)
    try:
        stop_unattended(cluster, SystemClock(), namespace, after_s=after_minutes * 60)
    finally:
        cluster.close()
