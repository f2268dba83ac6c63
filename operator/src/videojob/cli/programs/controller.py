"""`videojob controller`: the operator's process on the cluster."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from videojob.adapters.aws.dynamodb.calls import RetryPolicy
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.adapters.clock import SystemClock
from videojob.adapters.kubernetes.api import connect_cluster
from videojob.controller.app import Controller, ControllerOptions
from videojob.controller.config import read_config, read_price_settings
from videojob.controller.jobs.stores import Stores
from videojob.controller.leading import LeadOptions
from videojob.controller.price_sources import prices_of
from videojob.controller.runtime.handlers import WatchTimes
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.scope import STALE_S
from videojob.planning.installation import Installation
from videojob.ports.results import JobStore
from videojob.reasons import Where, settle_on
from videojob.worker.process.logs import log_json

_SIDE_PATIENCE_S = 5.0
_STORE_PATIENCE_S = 5.0  # the queue comes back anyway; a thread that waits would keep other jobs waiting


def controller(
    *,
    config: Annotated[Path, typer.Option(help="The installation's configuration.")] = Path("/etc/videojob/config.yaml"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of /healthz, /readyz and /metrics.")] = 8080,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Kubeconfig to use instead of the pod's service account.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            help="This process's name in the Lease.", show_default="host name, with a suffix outside of a pod"
        ),
    ] = None,
    deployment: Annotated[str, typer.Option(help="Name of the controller's own Deployment.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Concurrent reconciles.")] = 8,
    resync: Annotated[float, typer.Option(min=1, help="Full resync interval, seconds.")] = 300.0,
    canary: Annotated[
        float, typer.Option(min=0.1, help="Interval of the check that watches deliver events, seconds.")
    ] = 10.0,
    lease: Annotated[float, typer.Option(min=1, help="Duration of the Lease, seconds.")] = 30.0,
    stale: Annotated[
        float, typer.Option(min=1, help="Time after which an installation's claims expire unless renewed, seconds.")
    ] = STALE_S,
    inactivity: Annotated[
        float, typer.Option(min=1, help="Time without data after which a watch is restarted, seconds.")
    ] = 45.0,
) -> None:
    """Run the controller, which reconciles VideoJobs and their inference servers."""
    settle_on(Where.CLUSTER)
    log_json({"component": "controller"})
    installation = read_config(config)
    price_settings = read_price_settings(config, own_region(os.environ))
    metrics = ControllerMetrics()

    def count(method: str, code: int) -> None:
        metrics.api_requests.labels(method, str(code)).inc()

    clock = SystemClock()
    cluster = connect_cluster(kubeconfig, observe=count)
    side = connect_cluster(kubeconfig, observe=count, patience_s=_SIDE_PATIENCE_S)
    stores = Stores(lambda table, region: _store(table, region, installation), clock)
    lead = LeadOptions(
        workers=workers,
        resync_s=resync,
        deployment=deployment,
        canary_every_s=canary,
        renew_after_s=2 * canary,
        unseen_after_s=12 * canary,
        stale_s=stale,
        times=WatchTimes(inactivity_s=inactivity),
    )
    options = ControllerOptions(
        identity=identity or own_name(os.environ, socket.gethostname()), port=port, lease_s=lease, lead=lead
    )
    prices = prices_of(price_settings, clock, metrics)
    if kubeconfig is not None:
        os.environ["KUBECONFIG"] = str(kubeconfig)  # kopf finds the cluster by itself
    try:
        made = Controller(
            installation, cluster, side, stores, clock=clock, metrics=metrics, options=options, prices=prices
        )
        asyncio.run(_run(made))
    finally:
        stores.close()
        cluster.close()
        side.close()


def own_name(environment: Mapping[str, str], host: str) -> str:
    """This process's name in the lease, different from that of every other one that may be alive.

    In a pod its name is enough: a container that is started again there is alone, and goes on with the lease of the one
    that was killed at once, where any other controller has to wait until it has run out.
    """
    return host if "KUBERNETES_SERVICE_HOST" in environment else f"{host}-{secrets.token_hex(4)}"


def own_region(environment: Mapping[str, str]) -> str:
    """The region that the pod's environment names, as EKS puts it there with credentials; "" for none."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""


async def _run(made: Controller) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await made.run(stop)


def _store(table: str, region: str | None, installation: Installation) -> JobStore:
    retry = RetryPolicy(give_up_s=_STORE_PATIENCE_S)
    store = DynamoDbJobStore(DynamoDbSettings(table, region, retry=retry, retention_s=installation.results.retention_s))
    if installation.results.create_table and table == installation.results.table:
        store.create_table()
    return store
