"""Placement by price as the controller does it: what it reads, what it records, and that this is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.decisions import a_job
from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from support.job_desk import KEY, JobDesk
from support.markets import HOUR, MARKET, PRICED, priced_head, with_prices
from support.plan_questions import SMALL
from support.plan_questions import market as offers
from videojob.adapters.files.package_data import throughput_seeds
from videojob.controller.fleet.demands import Demands
from videojob.controller.fleet.servers import ServerObserver
from videojob.controller.jobs.market import MarketReader
from videojob.controller.jobs.speeds import SpeedKeeper
from videojob.controller.prices import Prices
from videojob.errors import ClusterRefused
from videojob.kube.kinds import DEPLOYMENTS, NODE_POOLS, Kind
from videojob.kube.names import EPOCH, REPLICA_SPEED, SERVER_KEY
from videojob.kube.render.servers import server_deployment
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.installation import Installation
from videojob.planning.placement.market import Market, NoMarket
from videojob.planning.state.desired import ServerDemand
from videojob.planning.state.placement import ServerKey

SERVER = ServerKey("face_detector", 1, "cpu", (), ("c7i.xlarge",))
POOL: dict[str, Any] = {
    "metadata": {"name": "cpu"},
    "spec": {"template": {"spec": {"requirements": [{"key": "team", "operator": "Exists"}]}}},
}


@dataclass
class Reading:
    """A reader of the market and what it reads from."""

    cluster: FakeCluster
    clock: FakeClock
    demands: Demands
    reader: MarketReader


def a_reading(installation: Installation = PRICED, table: OfferTable | None = None) -> Reading:
    cluster, clock, demands = FakeCluster(), FakeClock(), Demands()
    prices = Prices(offers() if table is None else table, (), PriceSettings(), clock, small=SMALL)
    speeds = SpeedKeeper(cluster, clock, "videojob-system", throughput_seeds())
    servers = ServerObserver(cluster, installation, clock)
    reader = MarketReader(cluster, installation, clock, prices, speeds, servers, demands)
    return Reading(cluster, clock, demands, reader)


def work_jobs(desk: JobDesk) -> list[dict[str, Any]]:
    return [one for one in desk.jobs if "-work-" in one["metadata"]["name"]]


def test_what_is_on_offer_are_prices_speeds_nodepools_and_the_models_servers_with_their_jobs() -> None:
    reading = a_reading()
    reading.cluster.put(NODE_POOLS, POOL)
    made = server_deployment(SERVER, ServerDesired(2, None, busy=True), PRICED)
    reading.cluster.put(DEPLOYMENTS, made | {"status": {"readyReplicas": 1}})
    reading.demands.set(("team", "other"), ServerDemand(SERVER, 1, 1))  # type: ignore[arg-type]
    reading.demands.set(KEY, ServerDemand(SERVER, 1, 1))  # type: ignore[arg-type]
    market = reading.reader.read(a_job())
    assert isinstance(market, Market)
    assert [one.name for one in market.pools] == ["cpu"]
    (server,) = market.servers
    assert (server.key, server.seen.replicas, server.seen.ready, server.jobs) == (SERVER, 2, 1, 1)
    assert not market.auto_mode


def test_without_a_node_provisioner_nothing_is_read_and_prices_decide_nothing() -> None:
    reading = a_reading(replace(PRICED, karpenter="none"))
    reading.cluster.refuse = lambda *_: pytest.fail("something was read")
    assert reading.reader.read(a_job()) is None


def test_nodepools_that_may_not_be_read_are_told_and_fail_nothing() -> None:
    reading = a_reading()

    def refuse(_verb: str, kind: Kind, _name: str) -> Exception | None:
        refusal = ClusterRefused("403 nodepools.karpenter.sh is forbidden", retryable=False)
        return refusal if kind == NODE_POOLS else None

    reading.cluster.refuse = refuse
    found = reading.reader.read(a_job())
    assert isinstance(found, NoMarket)
    assert found.why == "the NodePools cannot be read (403 nodepools.karpenter.sh is forbidden)"


def test_a_region_without_prices_is_no_market() -> None:
    found = a_reading(table=OfferTable("cn-north-1", ())).reader.read(a_job())
    assert found == NoMarket("there are no prices of region cn-north-1")


def test_a_nodepool_of_another_form_is_no_market() -> None:
    reading = a_reading()
    reading.cluster.put(NODE_POOLS, {"metadata": {"name": "odd"}, "spec": {}})
    found = reading.reader.read(a_job())
    assert isinstance(found, NoMarket)
    assert "a NodePool cannot be understood" in found.why


def priced_desk(frames: int = HOUR) -> JobDesk:
    """A job that has its plan, in a cluster with prices."""
    desk = JobDesk(PRICED)
    desk.market = MARKET
    desk.start()
    desk.look()
    desk.plan(priced_head(frames))
    return desk


def test_the_choice_stands_in_the_status_before_anything_is_made_by_it() -> None:
    desk = priced_desk()
    for _ in range(5):
        desk.reconciler.reconcile(KEY)
        if "placement" in desk.status:
            break
    assert not work_jobs(desk)
    placement, cost = desk.status["placement"], desk.status["cost"]
    assert (placement["epoch"], placement["replicas"], placement["gpus"]) == (1, 0, 0)
    assert placement["server"]["gpu"] == "t4"
    assert placement["server"]["instanceTypes"] == ["g4dn.xlarge"]
    assert placement["why"].startswith("The cheapest is 1 x g4dn.xlarge (spot)")
    assert placement["replicaFramesPerSecond"] == "400.000"
    assert 0 < placement["finishSeconds"] <= placement["finishSecondsP90"]
    assert 0 < len(placement["runnersUp"]) <= 10
    assert 0 < float(cost["forecastLow"]) <= float(cost["forecast"]) <= float(cost["forecastHigh"])
    assert (cost["priceSource"], cost["pricePrecision"]) == ("static", "this zone")
    assert desk.status["columns"]["cost"].startswith("~$0.0")
    desk.look()
    (work,) = work_jobs(desk)
    annotations = work["metadata"]["annotations"]
    assert annotations[EPOCH] == "1"
    assert annotations[REPLICA_SPEED] == "400"
    assert '"t4"' in annotations[SERVER_KEY]


def test_workers_are_not_bound_to_the_types_that_a_choice_by_price_bound_their_server_to() -> None:
    desk = priced_desk(frames=500)
    desk.look()
    desk.look()
    assert desk.status["placement"]["server"]["instanceTypes"] == ["c7i.xlarge"]
    (work,) = work_jobs(desk)
    affinity = work["spec"]["template"]["spec"].get("affinity", {})
    assert "nodeAffinity" not in affinity


def test_where_prices_cannot_be_compared_the_constant_decides_and_the_status_says_why() -> None:
    desk = priced_desk()
    desk.market = NoMarket("the NodePools cannot be read (403)")
    desk.look()
    desk.clock.seconds += 30.0
    desk.look()
    why = desk.status["placement"]["why"]
    assert why.endswith("; no prices were compared: the NodePools cannot be read (403)")
    assert "cost" not in desk.status
    assert desk.status["columns"]["cost"] == "-"


def test_a_deadline_that_nothing_meets_fails_the_job_before_anything_is_made() -> None:
    desk = JobDesk(PRICED)
    desk.market = MARKET
    desk.start({"deadline": {"completeWithin": "45s"}})
    desk.look()
    desk.plan(priced_head(HOUR))
    desk.look()
    assert desk.condition("Succeeded") == ("False", "NoPlacement")
    assert "Set spec.deadline.completeWithin to" in desk.status["message"]
    assert not work_jobs(desk)


@settings(max_examples=25, deadline=None)
@given(
    changes=st.lists(
        st.one_of(
            st.sampled_from(["0.01", "0.5", "40"]).map(lambda times: with_prices(MARKET, times, "spot")),
            st.sampled_from(["0.01", "30"]).map(lambda times: with_prices(MARKET, times, "on-demand")),
            st.just(replace(MARKET, pools=MARKET.pools[1:])),
            st.just(NoMarket("nothing can be read")),
            st.none(),
        ),
        min_size=1,
        max_size=5,
    ),
    frames=st.sampled_from([500, HOUR, 20 * HOUR]),
)
def test_the_recorded_placement_and_its_forecast_never_change_within_an_epoch_whatever_prices_do(
    changes: list[Market | NoMarket | None], frames: int
) -> None:
    desk = priced_desk(frames)
    desk.look()
    recorded = {name: desk.status["placement"][name] for name in ("server", "why", "epoch", "runnersUp")}
    cost = desk.status["cost"]
    for market in changes:
        desk.market = market
        desk.clock.seconds += 30.0
        desk.look()
        assert {name: desk.status["placement"][name] for name in recorded} == recorded
        assert desk.status["cost"] == cost
    (work,) = work_jobs(desk)
    assert recorded["server"]["instanceTypes"][0] in work["metadata"]["annotations"][SERVER_KEY]
