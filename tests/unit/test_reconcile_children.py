"""What the controller makes of a job's children that are there already."""

from __future__ import annotations

import pytest

from support.decisions import CATALOGUE, a_job
from support.job_desk import JobDesk
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.manifests.jobs import plan_job
from videojob.manifests.kinds import CONFIG_MAPS, JOBS, Kind
from videojob.planning.desired import PlanJobWanted


def test_a_look_that_ended_between_file_and_job_is_gone_on_with_and_no_config_map_is_read() -> None:
    desk = JobDesk()
    desk.start()

    def away(verb: str, kind: Kind, _name: str) -> Exception | None:
        return ClusterUnavailable("away") if (verb, kind) == ("create", JOBS) else None

    desk.cluster.refuse = away
    with pytest.raises(ClusterUnavailable):
        desk.look()
    (file,) = desk.cluster.names(CONFIG_MAPS)
    assert desk.jobs == []

    desk.cluster.refuse = lambda _verb, _kind, _name: None
    desk.clock.seconds += 10
    desk.look()
    assert len(desk.jobs) == 1
    assert desk.cluster.names(CONFIG_MAPS) == [file]
    assert {verb for verb, plural, _ in desk.cluster.calls if plural == CONFIG_MAPS.plural} == {"create"}


def test_somebody_elses_job_under_the_name_is_never_taken_over() -> None:
    desk = JobDesk()
    desk.start()
    theirs = plan_job(a_job(), PlanJobWanted(1), CATALOGUE)
    del theirs["metadata"]["ownerReferences"], theirs["metadata"]["labels"]
    desk.cluster.put(JOBS, theirs)
    with pytest.raises(ClusterRefused, match="belongs to somebody else"):
        desk.look()
    assert desk.jobs[0]["spec"] == theirs["spec"]
