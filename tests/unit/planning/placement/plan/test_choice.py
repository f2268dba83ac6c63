"""Which plan is chosen, in cases whose right answer is known."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from support.plan_questions import AROUND, KnownSpeeds, market, offer, question
from videojob.planning.cost.offers import OfferTable
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.relax import NoPlan
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import Allowed, NodeExtras, WarmServer

HOUR, HUNDRED_HOURS = 90_000, 9_000_000


def plan_of(asked: Question) -> Plan:
    found = make_plan(asked)
    assert isinstance(found, Plan), found
    return found


def changes_of(asked: Question) -> tuple[str, ...]:
    found = make_plan(asked)
    assert isinstance(found, NoPlan), found
    return found.changes


def server(found: Plan) -> tuple[str, str, int]:
    way = found.chosen.way
    return way.server.type.name, way.server.capacity_type, way.replicas


def test_a_tiny_clip_goes_to_a_small_cpu_and_an_hour_of_video_to_a_small_spot_gpu_with_nodes_that_decode() -> None:
    assert server(plan_of(question(300))) == ("c7i.xlarge", "spot", 1)
    hour = plan_of(question(HOUR))
    assert server(hour) == ("g4dn.xlarge", "spot", 1)
    assert hour.chosen.way.workers is not None
    assert hour.chosen.way.workers.type.gpus == 0
    assert hour.chosen.worker_nodes > 0


def test_a_tight_deadline_takes_several_at_once_and_one_that_nothing_meets_says_the_least_that_is() -> None:
    allowed = Allowed(instance_types=("g4dn.xlarge",), deadline_s=1000)
    assert server(plan_of(question(900_000, allowed))) == ("g4dn.xlarge", "spot", 4)
    (change,) = changes_of(question(300, Allowed(deadline_s=20)))
    assert change.startswith("Set spec.deadline.completeWithin to ")
    least_s = float(change.removeprefix("Set spec.deadline.completeWithin to ").partition("s")[0])
    assert plan_of(question(300, Allowed(deadline_s=least_s))).chosen.ends_p90_s <= least_s
    assert changes_of(question(300, Allowed(deadline_s=least_s - 1)))


def test_a_budget_that_is_too_small_names_the_least_that_is_not() -> None:
    (change,) = changes_of(question(HOUR, Allowed(max_usd=Decimal("0.01"))))
    assert change.startswith("Raise spec.budget.maxCost to ")
    least = Decimal(change.split('"')[1])
    assert plan_of(question(HOUR, Allowed(max_usd=least))).chosen.usd_p90 <= least


def test_a_quota_of_zero_for_gpus_leaves_cpus_and_is_named_when_only_gpus_would_do() -> None:
    no_gpus = replace(AROUND, quota_vcpus={("g", "spot"): 0, ("g", "on-demand"): 0})
    assert server(plan_of(question(HOUR, around=no_gpus)))[0].startswith("c7i")
    changes = changes_of(question(HOUR, Allowed(accelerators=("gpu",)), around=no_gpus))
    assert "Ask AWS for 4 vCPUs of quota for spot instances of class g." in changes
    assert "Allow cpu in spec.compute.accelerator." in changes


def test_a_warm_server_is_joined_at_what_it_costs_to_keep_it_longer() -> None:
    warm = replace(AROUND, warm=(WarmServer("g4dn.xlarge", "spot", "", 1),))
    cold, joined = plan_of(question(3000)), plan_of(question(3000, around=warm))
    assert joined.chosen.way.warm is not None
    assert joined.chosen.usd < cold.chosen.usd
    assert joined.chosen.costs.start == joined.chosen.costs.tail == Decimal(0)


def test_on_demand_beats_spot_when_a_discount_makes_it_cheaper() -> None:
    offers = tuple(one for one in market().offers if one.type.gpu != "t4")
    discounted = OfferTable("us-east-1", (*offers, offer("g4dn.xlarge", usd="0.10"), offer("g4dn.xlarge", "spot")))
    assert server(plan_of(question(HOUR, offers=discounted)))[:2] == ("g4dn.xlarge", "on-demand")


def test_workers_in_another_zone_pay_for_each_frame_and_so_come_from_the_servers_own() -> None:
    found = plan_of(question(HOUR, offers=market(("a", "b"))))
    assert found.chosen.way.workers is not None
    assert found.chosen.way.workers.zone == found.chosen.way.server.zone
    assert found.chosen.costs.crossing == 0


def test_once_a_zone_is_bound_nothing_of_another_zone_is_chosen() -> None:
    bound = replace(AROUND, zone="b")
    found = plan_of(question(HOUR, offers=market(("a", "b")), around=bound))
    assert {one.way.server.zone for one in found.members} == {"b"}


def test_an_image_that_comes_through_a_nat_gateway_is_in_the_price() -> None:
    through_nat = replace(AROUND, extras=NodeExtras(image_route="nat"))
    found = plan_of(question(HOUR, around=through_nat)).chosen
    assert found.costs.image == Decimal("0.045") * Decimal("8.5") * found.server_nodes


def test_the_set_has_one_gpu_model_and_its_price_is_that_of_what_is_launched_first() -> None:
    shared = replace(AROUND, workers_share_gpu_nodes=True)
    found = plan_of(question(HUNDRED_HOURS, Allowed(accelerators=("gpu",)), around=shared))
    assert len({one.way.server.type.gpu for one in found.members}) == 1
    hours = [one.way.server.price.usd_per_h for one in found.members]
    assert hours == sorted(hours)
    assert found.chosen == found.members[0]
    assert found.usd_low <= found.chosen.usd <= found.usd_high


def test_runners_up_are_ten_at_most_with_a_reason_each_and_none_of_the_chosen_kind() -> None:
    found = plan_of(question(HOUR))
    assert 0 < len(found.runners_up) <= 10
    assert all(one.why for one in found.runners_up)
    assert [one.outcome.usd for one in found.runners_up] == sorted(one.outcome.usd for one in found.runners_up)


def test_a_fallback_is_on_demand_and_is_begun_in_time_for_the_deadline() -> None:
    allowed = Allowed(deadline_s=900)
    found = plan_of(question(HOUR, allowed))
    assert found.fallback is not None
    assert found.fallback.way.server.capacity_type == "on-demand"
    assert found.fallback_after_s + found.fallback.ends_p90_s <= 900


def test_hardware_of_which_nobody_knows_the_speed_is_not_chosen() -> None:
    speeds = KnownSpeeds(gpus={"l4": 680.0}, cpus={})
    assert server(plan_of(question(300, speeds=speeds)))[0] == "g6.xlarge"
    assert changes_of(question(300, speeds=KnownSpeeds(gpus={}, cpus={}))) == ()


@pytest.mark.parametrize("frames", [0, 1])
def test_a_job_of_nearly_nothing_still_costs_its_start(frames: int) -> None:
    assert plan_of(question(frames)).chosen.usd > 0


def test_a_runner_up_that_is_nearly_as_cheap_says_by_how_many_per_cent() -> None:
    offers = (offer("c7i.xlarge"), offer("g4dn.xlarge"), offer("c7g.xlarge"))
    found = plan_of(question(60_000, offers=OfferTable("us-east-1", offers)))
    assert re.fullmatch(r"costs [3-9]% more", found.runners_up[0].why)
