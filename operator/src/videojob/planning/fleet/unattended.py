"""The dead-man's switch: which servers are stopped when no controller is left that could. Pure.

The controller renews its Lease every few seconds while it lives and hears the cluster. When nobody has renewed it for
long, servers that it had started would be billed for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Billed:
    """A server's Deployment.

    Attributes:
        name: of it. replicas: as its spec says.
        since_s: when it was made, or noted as idle: the controller lived then.
    """

    name: str
    replicas: int
    since_s: float


def servers_to_stop(
    renewed_s: float | None, servers: Sequence[Billed], *, now_s: float, after_s: float
) -> tuple[str, ...]:
    """Names of the Deployments to scale to zero.

    Args:
        renewed_s: when the Lease was renewed last; None where there is no Lease, or it never was: then what a server
            itself tells of the controller's last sign of life counts.
        servers: that there are.
        now_s: seconds since the epoch, as these times are.
        after_s: how long no sign of life may be.
    """
    billed = [one for one in servers if one.replicas > 0]
    return tuple(one.name for one in billed if now_s - (one.since_s if renewed_s is None else renewed_s) >= after_s)
