"""What is remembered of jobs' demands: a resync looks at all of it, whatever is listed."""

from __future__ import annotations

from fractions import Fraction

from videojob.controller.demands import Demands
from videojob.planning.desired import ServerDemand
from videojob.planning.observed import ServerKey

CPU, GPU = ServerKey("face_detector", 1, "cpu"), ServerKey("face_detector", 1, "gpu")


def test_jobs_and_servers_are_remembered_until_the_demand_ends() -> None:
    demands = Demands()
    demands.set(("team", "a"), ServerDemand(CPU, Fraction(5), 100, 1))
    demands.set(("team", "b"), ServerDemand(GPU, Fraction(5), 100, 1))
    assert demands.jobs == [("team", "a"), ("team", "b")]
    assert demands.servers == {CPU, GPU}
    demands.set(("team", "a"), None)
    assert (demands.jobs, demands.servers) == ([("team", "b")], {GPU})
