"""What `videojob stop-servers` does: reads the controller's Lease, and stops the servers of one that is gone.

It imports nothing of the controller, and asks for no more than its role allows: get that Lease, list Deployments, patch
their scale. A controller that comes back sees servers without replicas, and makes them as large as its jobs need.
"""

from __future__ import annotations

import logging

from videojob.kube.kinds import DEPLOYMENTS, LEASES
from videojob.kube.names import COMPONENT, IDLE_SINCE, LEASE, MANAGED_BY, MANAGER
from videojob.planning.fleet.unattended import Billed, servers_to_stop
from videojob.planning.state.last_status import seconds_of
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster, Object

_LOG = logging.getLogger(__name__)


def stop_unattended(cluster: Cluster, clock: Clock, namespace: str, *, after_s: float) -> tuple[str, ...]:
    """One reconcile; scales to zero the servers without a controller, and returns its names.

    Args:
        cluster: the API server.
        clock: the time.
        namespace: of the Lease and of the servers.
        after_s: how long the Lease may be without a renewal.

    Raises:
        ClusterError: the API server does not answer, or refuses; the next run tries again.
    """
    renewed_s = _renewed_s(cluster.get(LEASES, namespace, LEASE))
    labels = f"{MANAGED_BY}={MANAGER},{COMPONENT}=server"
    servers = [_billed(one) for one in cluster.list(DEPLOYMENTS, namespace, labels=labels)]
    names = servers_to_stop(renewed_s, servers, now_s=clock.now_s(), after_s=after_s)
    about: dict[str, object] = {
        "servers": len(servers),
        "renewed": "never" if renewed_s is None else int(clock.now_s() - renewed_s),
    }
    for name in names:
        cluster.patch(DEPLOYMENTS, namespace, name, {"spec": {"replicas": 0}}, subresource="scale")
        _LOG.warning("no controller has renewed its Lease in time: a server is stopped", extra={"server": name} | about)
    _LOG.info("checked the servers", extra=about | {"stopped": len(names)})
    return names


def _renewed_s(lease: Object | None) -> float | None:
    renewed = None if lease is None else (lease.get("spec") or {}).get("renewTime")
    return None if renewed is None else seconds_of(str(renewed))


def _billed(deployment: Object) -> Billed:
    metadata = deployment["metadata"]
    idle_since = metadata.get("annotations", {}).get(IDLE_SINCE)
    made_s = seconds_of(str(metadata["creationTimestamp"]))
    since_s = made_s if idle_since is None else max(made_s, float(idle_since))
    return Billed(metadata["name"], int(deployment["spec"].get("replicas", 0)), since_s)
