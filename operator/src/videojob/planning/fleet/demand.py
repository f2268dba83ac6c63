"""What one working job asks of its server, and how fast its workers have to be. Pure."""

from __future__ import annotations

from videojob.planning.placement.choice import Pace, Times, most_replicas, most_workers, pace
from videojob.planning.state.desired import ServerDemand
from videojob.planning.state.placement import Place
from videojob.planning.state.snapshot import Snapshot


def times_of(snapshot: Snapshot) -> Times:
    """When the job began or was resumed, what the time is, and whether its server answers already."""
    started_s = snapshot.now_s if snapshot.last_status.counts_from_s is None else snapshot.last_status.counts_from_s
    server = snapshot.observed.server
    return {"started_s": started_s, "now_s": snapshot.now_s, "warm": server is not None and server.ready > 0}


def pace_of(snapshot: Snapshot, where: Place, left: int) -> Pace:
    """How fast a job has to be; the arguments are those of `demand_of`."""
    return pace(snapshot.job.spec, where.variant, left, **times_of(snapshot))


def demand_of(snapshot: Snapshot, where: Place, left: int) -> ServerDemand:
    """What a working job asks of its server.

    Args:
        snapshot: of the job.
        where: its server.
        left: frames that are not committed.
    """
    paced, spec = pace_of(snapshot, where, left), snapshot.job.spec
    replicas = most_replicas(spec, where.variant)
    usable = min(
        paced.workers, most_workers(spec, snapshot.installation) * snapshot.installation.worker.frames_per_second
    )
    if replicas is not None:
        usable = min(usable, replicas * where.variant.frames_per_second)
    return ServerDemand(
        where.key, paced.server, left, replicas, usable=usable, replica_frames_per_s=where.replica_frames_per_s
    )
