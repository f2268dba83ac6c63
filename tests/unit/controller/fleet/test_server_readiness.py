"""Many looks at one server at a time cost one read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

from support.decisions import INSTALLATION
from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from support.job_desk import SERVER
from videojob.controller.fleet.servers import ServerObserver
from videojob.kube.kinds import DEPLOYMENTS, Kind

LOOKS = 8


def test_who_comes_while_a_server_is_being_read_waits_for_that_and_does_not_read_it_again() -> None:
    cluster, began, go_on = FakeCluster(), Event(), Event()

    def wait(_verb: str, _kind: Kind, _name: str) -> None:
        began.set()
        assert go_on.wait(10)

    cluster.refuse = wait
    servers = ServerObserver(cluster, INSTALLATION, FakeClock())
    together = Barrier(LOOKS)

    def observe() -> None:
        together.wait(10)
        servers.observe(SERVER)

    with ThreadPoolExecutor(LOOKS) as pool:
        looks = [pool.submit(observe) for _ in range(LOOKS)]
        assert began.wait(10)
        go_on.set()
        for one in looks:
            one.result(10)
    assert cluster.count("get", DEPLOYMENTS) == 1


def test_an_event_makes_the_next_look_read_again() -> None:
    cluster = FakeCluster()
    servers = ServerObserver(cluster, INSTALLATION, FakeClock())
    for _ in range(2):
        servers.observe(SERVER)
    assert cluster.count("get", DEPLOYMENTS) == 1
    servers.forget(SERVER)
    servers.observe(SERVER)
    assert cluster.count("get", DEPLOYMENTS) == 2
