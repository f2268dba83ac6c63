"""Where a job's frames go when prices decide: manifests whose right answer differs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import pytest

from support.decisions import GPU, NOW_S, a_job
from support.markets import CPUS, GPUS, HOUR, MARKET, PRICED, priced_head, with_prices
from support.plan_questions import KnownSpeeds
from videojob.api.spec import VideoJobSpec
from videojob.errors import NoPlacement
from videojob.planning.placement.market import Market, RunningServer
from videojob.planning.placement.priced import priced_place
from videojob.planning.state.observed import NODE_PROVISIONING, PodProblem, ServerObserved
from videojob.planning.state.placement import Place, ServerKey


def spec(**values: Any) -> VideoJobSpec:
    return a_job(values).spec


def chosen(frames: int, market: Market = MARKET, left_s: float | None = None, **values: Any) -> Place:
    found = priced_place(spec(**values), PRICED, priced_head(frames), market, left_s=left_s)
    assert found is not None
    assert found.estimate is not None
    return found


def a_server(key: ServerKey, instance_type: str | None = "g4dn.xlarge", **changes: Any) -> RunningServer:
    """A GPU server that answers, on a spot node."""
    seen = ServerObserved(1, 1, instance_type=instance_type, capacity_type="spot", zone="a", placed=1)
    return RunningServer(key, replace(seen, **changes))


T4 = ServerKey("face_detector", 1, "gpu", (), ("g4dn.xlarge",), "t4")


def test_a_tiny_clip_goes_to_a_cpu_server_of_one_family() -> None:
    place = chosen(100)
    assert place.key.accelerator == "cpu"
    assert {one.partition(".")[0] for one in place.key.instance_types} == {"c7i"}
    assert place.key.gpu == ""


def test_hours_of_video_go_to_a_set_of_types_with_one_gpu_that_is_left_to_spot_and_on_demand() -> None:
    place = chosen(10 * HOUR)
    assert (place.key.accelerator, place.key.gpu) == ("gpu", "l4")
    assert place.key.instance_types == ("g6.xlarge",)
    assert place.key.capacity_types == ()
    assert "g6.xlarge (spot)" in place.why
    one_hour = chosen(HOUR)
    assert (one_hour.key.gpu, one_hour.key.instance_types) == ("t4", ("g4dn.xlarge",))


def test_on_demand_that_is_cheaper_than_spot_is_asked_for_by_name() -> None:
    place = chosen(10 * HOUR, with_prices(MARKET, "3", "spot"))
    assert place.key.capacity_types == ("on-demand",)


def test_the_jobs_own_types_and_capacity_bind_the_choice() -> None:
    compute = {"instanceTypes": ["g6.xlarge", "g4dn.2xlarge"], "capacityTypes": ["spot"]}
    place = chosen(10 * HOUR, compute=compute)
    assert set(place.key.instance_types) <= {"g6.xlarge", "g4dn.2xlarge"}
    assert place.key.capacity_types == ("spot",)
    assert chosen(10 * HOUR, compute={"accelerator": "cpu"}).key.accelerator == "cpu"


def test_a_nodepool_without_gpus_left_leaves_cpus() -> None:
    full = replace(MARKET, pools=(replace(GPUS, gpus_left=0), CPUS))
    assert chosen(10 * HOUR, full).key.accelerator == "cpu"


def test_types_that_no_nodepool_allows_are_left_to_karpenters_own_words() -> None:
    asked = spec(compute={"instanceTypes": ["g6e.xlarge"], "accelerator": "gpu"})
    assert priced_place(asked, PRICED, priced_head(HOUR), MARKET, left_s=None) is None


def test_a_warm_server_is_joined_though_a_cpu_would_be_cheaper_from_zero() -> None:
    assert chosen(5000).key.accelerator == "cpu"
    place = chosen(5000, replace(MARKET, servers=(a_server(T4),)))
    assert place.key == T4
    assert "a server that runs already on g4dn.xlarge (spot)" in place.why


@pytest.mark.parametrize("kind", ["starting", "unschedulable"])
def test_a_server_that_is_on_its_way_is_joined_like_one_that_answers(
    kind: Literal["starting", "unschedulable"],
) -> None:
    coming = PodProblem(kind, "Nominated", NOW_S, NODE_PROVISIONING)
    server = a_server(T4, instance_type=None, ready=0, placed=0, capacity_type=None, zone=None, problem=coming)
    assert chosen(5000, replace(MARKET, servers=(server,))).key == T4


@pytest.mark.parametrize(
    ("server", "compute"),
    [
        (a_server(replace(T4, version=2)), {}),
        (a_server(T4, replicas=0), {}),
        (a_server(replace(T4, instance_types=()), instance_type=None), {}),
        (a_server(T4, ready=0, problem=PodProblem("image", "no such image", NOW_S)), {}),
        (a_server(T4, ready=0, problem=PodProblem("unschedulable", "no node", NOW_S, "karpenter")), {}),
        (a_server(T4), {"accelerator": "cpu"}),
        (a_server(T4), {"capacityTypes": ["on-demand"]}),
        (a_server(T4), {"instanceTypes": ["c7i.xlarge"]}),
        (a_server(replace(T4, instance_types=())), {"instanceTypes": ["c7i.xlarge", "g4dn.xlarge"]}),
    ],
    ids=[
        "another version",
        "at zero",
        "nobody knows where",
        "broken",
        "no capacity",
        "a gpu",
        "may be on spot",
        "another type",
        "any type",
    ],
)
def test_a_server_that_the_job_may_not_use_is_not_joined(server: RunningServer, compute: dict[str, Any]) -> None:
    place = chosen(5000, replace(MARKET, servers=(server,)), compute=compute)
    assert place.key != server.key


def test_a_tight_deadline_takes_more_and_one_that_nothing_meets_is_refused_with_the_smallest_change() -> None:
    cheap, fast = chosen(HOUR), chosen(HOUR, left_s=330.0)
    assert fast.estimate is not None
    assert cheap.estimate is not None
    assert fast.estimate.ends_in_p90_s <= 330 < cheap.estimate.ends_in_s
    assert fast.estimate.usd > cheap.estimate.usd
    with pytest.raises(NoPlacement, match="nothing on offer can end within the 20 s") as refusal:
        chosen(HOUR, left_s=20.0, deadline={"completeWithin": "20s"})
    assert "Set spec.deadline.completeWithin to" in refusal.value.hint


def test_a_deadline_that_only_the_unlucky_miss_takes_the_fastest_and_says_so() -> None:
    ends = [one.estimate for one in (chosen(HOUR, left_s=left_s) for left_s in (300.0, 400.0)) if one.estimate]
    soonest = min(ends, key=lambda one: one.ends_in_s)
    left_s = (soonest.ends_in_s + soonest.ends_in_p90_s) / 2
    wide = replace(MARKET, speeds=KnownSpeeds(spread=0.6))
    place = chosen(HOUR, wide, left_s=left_s)
    assert "may end after the deadline" in place.why


def test_a_replica_is_sized_by_what_it_should_answer_and_with_a_deadline_by_what_it_answers_in_nine_of_ten() -> None:
    free, bound = chosen(10 * HOUR), chosen(10 * HOUR, left_s=36_000.0)
    assert free.replica_frames_per_s == free.variant.frames_per_second == Fraction(680)
    assert bound.replica_frames_per_s == Fraction(612)
    assert free.variant.memory == GPU.memory


def test_what_was_expected_is_told_with_ranges_source_and_rivals() -> None:
    estimate = chosen(HOUR).estimate
    assert estimate is not None
    assert 0 < estimate.low_usd <= estimate.usd <= estimate.high_usd
    assert 0 < estimate.ends_in_s <= estimate.ends_in_p90_s
    assert (estimate.source, estimate.precision) == ("static", "this zone")
    assert 0 < len(estimate.rivals) <= 10
    assert all(one.usd > 0 and one.why_not for one in estimate.rivals)


def test_a_plan_of_an_earlier_release_counts_as_ordinary_video() -> None:
    old = replace(priced_head(HOUR), decoded=())
    found = priced_place(spec(), PRICED, old, MARKET, left_s=None)
    assert found is not None
    assert found.key == chosen(HOUR).key


def test_prices_times_k_change_nothing() -> None:
    for times in ("0.1", "7"):
        other = with_prices(MARKET, times)
        for frames in (100, HOUR, 30 * HOUR):
            assert chosen(frames, other).key == chosen(frames).key
