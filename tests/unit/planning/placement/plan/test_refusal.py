"""Why there is no plan: each constraint by itself, and each way in which a named instance type is of no use."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from support.plan_questions import AROUND, TYPES, market, offer, question
from videojob.planning.cost.offers import OfferTable
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.refusal import type_problems, why_no_plan
from videojob.planning.placement.plan.relax import NoPlan
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import Allowed, ReplicaNeeds

GPU = replace(AROUND.replica["gpu"], gpu_memory_mib=24_000)


def asked_for(*names: str, needs: ReplicaNeeds | None = None, **allowed: object) -> Question:
    """A question of a job that names types; `needs` stand in place of those of its GPU servers."""
    around = AROUND if needs is None else replace(AROUND, replica={**AROUND.replica, "gpu": needs})
    found = replace(Allowed(instance_types=names), **allowed)  # type: ignore[arg-type]
    return question(3000, found, around=around)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (asked_for("g4dn.xlarg"), "g4dn.xlarg is in no table of instance types (nearest: g4dn.xlarge, g4dn.2xlarge"),
        (asked_for("mainframe"), "mainframe is in no table of instance types"),
        (asked_for("c7g.xlarge"), "c7g.xlarge is arm64, and a server's image is for amd64"),
        (asked_for("g4dn.xlarge", accelerators=("cpu",)), "g4dn.xlarge has a GPU, and only CPUs are allowed"),
        (asked_for("c7i.xlarge", accelerators=("gpu",)), "c7i.xlarge has no GPU, and only GPUs are allowed"),
        (
            asked_for("g4dn.xlarge", needs=GPU),
            "g4dn.xlarge has 16,384 MiB of GPU memory, and a server needs 24,000",
        ),
        (asked_for("g4dn.xlarge", needs=replace(GPU, gpus=2)), "g4dn.xlarge has 1 GPU, and a server needs 2"),
        (
            asked_for("g4dn.xlarge", needs=replace(GPU, gpu_models=("l4",))),
            "g4dn.xlarge has a GPU t4, and the server can be bound to l4",
        ),
        (
            asked_for("g4dn.xlarge", needs=replace(GPU, families=("g6", "g6e"))),
            "g4dn.xlarge is of a family that no NodePool allows: g6, g6e are allowed",
        ),
        (asked_for("c7i.large"), "c7i.large has 1,920 thousandths of a vCPU for pods, and a server needs 3,000"),
    ],
)
def test_a_type_that_is_of_no_use_says_why(asked: Question, problem: str) -> None:
    (found,) = type_problems(asked)
    assert found.startswith(problem)
    assert isinstance(make_plan(asked), NoPlan)
    assert why_no_plan(asked) == f"none of spec.compute.instanceTypes can run the job: {found}"


def test_a_type_without_a_price_is_not_taken_for_free() -> None:
    offers = tuple(one for one in market().offers if one.type.name != "g6.xlarge")
    asked = replace(asked_for("g6.xlarge"), offers=OfferTable("us-east-1", offers, types=TYPES))
    assert type_problems(asked) == ("g6.xlarge has no price in us-east-1",)
    only = (offer("g6.xlarge"), *offers)
    asked = replace(asked_for("g6.xlarge", capacity_types=("spot",)), offers=OfferTable("us-east-1", only, types=TYPES))
    assert type_problems(asked) == ("g6.xlarge has no spot price in us-east-1",)
    assert isinstance(make_plan(asked), NoPlan)


def test_a_part_of_a_gpu_is_none() -> None:
    part = replace(TYPES["g6.xlarge"], name="g6f.large", gpus=0)
    offers = OfferTable("us-east-1", (replace(offer("g6.xlarge"), type=part),), types={"g6f.large": part})
    asked = replace(asked_for("g6f.large"), offers=offers)
    assert type_problems(asked) == ("g6f.large has only a part of a GPU, and a server needs 1",)


@pytest.mark.parametrize(("served", "other"), [("cpu", "g4dn.xlarge"), ("gpu", "c7i.xlarge")])
def test_what_the_model_is_not_served_on_is_of_no_use(served: Accelerator, other: str) -> None:
    around = replace(AROUND, replica={served: AROUND.replica[served]})
    (found,) = type_problems(question(300, Allowed(instance_types=(other,)), around=around))
    assert found.endswith(", on which the model is not served")


def test_one_type_that_will_do_leaves_only_a_notice_about_the_other() -> None:
    asked = asked_for("g4dn.xlarge", "g4dn.xlarg")
    assert len(type_problems(asked)) == 1
    assert not isinstance(make_plan(asked), NoPlan)


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        (Allowed(deadline_s=-1), "the deadline has passed"),
        (Allowed(deadline_s=0), "the deadline has passed"),
        (Allowed(deadline_s=5), "no hardware meets the deadline of 5 s"),
        (
            Allowed(deadline_s=600, accelerators=("gpu",), instance_types=("g6.xlarge",), max_usd=Decimal("0.01")),
            "no hardware meets the deadline of 10 min and the budget of 0.01 US dollars",
        ),
        (Allowed(max_usd=Decimal("0.000001")), "no hardware meets the budget of 0.000001 US dollars"),
        (
            Allowed(deadline_s=5, max_usd=Decimal(10)),
            "no hardware meets the deadline of 5 s and the budget of 10 US dollars",
        ),
    ],
)
def test_a_constraint_that_nothing_meets_is_named(allowed: Allowed, why: str) -> None:
    asked = question(3000, allowed)
    assert isinstance(make_plan(asked), NoPlan)
    assert why_no_plan(asked) == why


def test_without_any_offer_nothing_is_said_of_deadlines() -> None:
    asked = question(300, offers=OfferTable("us-east-1", ()))
    assert make_plan(asked) == NoPlan(())
    assert why_no_plan(asked) == "no hardware that the job allows can run it"
