"""The guide's example of a choice: its numbers are read from the page, and are what the planner works out."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from support.plan_questions import KnownSpeeds, offer, question
from support.tree import ROOT
from videojob.planning.cost.offers import OfferTable
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.option import Outcome

PAGE = (ROOT / "docs" / "guides" / "estimate.md").read_text().replace("\N{MULTIPLICATION SIGN}", "x")
EXAMPLE = PAGE.partition("### One example by hand")[2].partition("\n## ")[0]
TEXT = " ".join(EXAMPLE.split())
PRODUCT = re.compile(r"(?:(\d+) x )?([\d.]+) s x \$([\d.]+) / 3600 = \$([\d.]+)")
GPU, CPU, DECODER = "g4dn.xlarge", "c7i.xlarge", "c7g.xlarge"


def rows(columns: int) -> dict[str, list[str]]:
    """The page's table with so many columns, by the first cell without marks."""
    cells = [
        [one.strip() for one in line.strip("|").split("|")] for line in EXAMPLE.splitlines() if line.startswith("|")
    ]
    return {first.strip("`"): rest for first, *rest in cells if len(rest) == columns - 1}


GIVEN, PARTS = rows(4), rows(3)


def number(pattern: str) -> float:
    """The one number that the page has there."""
    (found,) = re.findall(pattern, TEXT)
    return float(found.replace(",", ""))


def given(name: str, column: int) -> float:
    (found,) = re.findall(r"[\d.]+", GIVEN[name][column])
    return float(found)


def planned(frames: int) -> Plan:
    """The plan for so many frames, with what the page states."""
    speeds = KnownSpeeds(
        gpus={"t4": given(GPU, 1)},
        cpus={"c7i": given(CPU, 1) / 3},  # the server's pod takes 3 vCPUs
        decode_per_s=number(r"A vCPU decodes (\d+) frames"),
        start_s=given(GPU, 2),
    )
    offers = tuple(offer(name, usd=GIVEN[name][0].removeprefix("$")) for name in (GPU, DECODER, CPU))
    asked = question(frames, offers=OfferTable("us-east-1", offers), speeds=speeds)
    writes, requests = re.findall(r"(\d+) writes, (\d+) requests", EXAMPLE)[0]
    work = replace(asked.work, write_units=int(writes), get_requests=int(requests))
    found = make_plan(replace(asked, work=work))
    assert isinstance(found, Plan)
    return found


@pytest.fixture(scope="module")
def both() -> tuple[Outcome, Outcome]:
    """What is chosen, and the first runner-up."""
    found = planned(int(number(r"^([\d,]+) frames have to go")))
    return found.chosen, found.runners_up[0].outcome


def test_the_gpu_is_chosen_and_the_cpu_comes_next(both: tuple[Outcome, Outcome]) -> None:
    chosen, next_best = both
    assert (chosen.way.server.type.name, chosen.server_nodes, chosen.worker_nodes) == (GPU, 1, 2)
    assert chosen.way.workers is not None
    assert chosen.way.workers.type.name == DECODER
    assert (next_best.way.server.type.name, next_best.server_nodes, next_best.worker_nodes) == (CPU, 1, 0)
    assert f'"{planned(90_000).runners_up[0].why}"' in TEXT


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("servers start", "start"),
        ("servers answer", "work"),
        ("servers idle at the end", "tail"),
        ("nodes that decode", "decoding"),
    ],
)
def test_each_part_is_the_product_that_the_page_shows(both: tuple[Outcome, Outcome], row: str, part: str) -> None:
    for outcome, cell in zip(both, PARTS[row], strict=True):
        found: Decimal = getattr(outcome.costs, part)
        if not cell:
            assert found == 0
            continue
        product = PRODUCT.fullmatch(cell)
        assert product is not None
        nodes, seconds, usd_per_h, usd = product.groups()
        by_hand = int(nodes or 1) * Decimal(seconds) * Decimal(usd_per_h) / 3600
        assert abs(by_hand - Decimal(usd)) < Decimal("0.0001")
        assert abs(found - Decimal(usd)) < Decimal("0.0001")


def test_small_parts_the_sum_and_the_end(both: tuple[Outcome, Outcome]) -> None:
    for at, outcome in enumerate(both):
        costs = outcome.costs
        assert PARTS["disks and addresses"][at] == f"${costs.disk:.4f}"
        assert PARTS["360 writes, 480 requests"][at] == f"${costs.writes + costs.requests:.4f}"
        assert PARTS["together"][at] == f"${outcome.usd:.3f}"
        assert PARTS["done in"][at] == f"{outcome.ends_s:.1f} s".replace(".0 s", " s")


def test_the_steps_between_are_right() -> None:
    for left, right, result in re.findall(r"([\d,]+) / (\d+) = ([\d,.]+) s", TEXT):
        quotient = float(left.replace(",", "")) / float(right)
        assert abs(quotient - float(result.replace(",", ""))) < 0.1
    vcpus = 1.1 * given(GPU, 1) / number(r"A vCPU decodes (\d+) frames")
    assert f"1.1 x 400 / 105 = {vcpus:.2f} vCPUs" in TEXT
    assert f"decoding takes {1.1 * given(CPU, 1) / 105:.2f} vCPUs" in TEXT


def test_fewer_frames_change_the_choice() -> None:
    found = planned(int(number(r"With ([\d,]+) frames the start")))
    assert found.chosen.way.server.type.name == CPU
    assert f"the CPU costs ${found.chosen.usd:.3f}," in TEXT
    assert found.runners_up[0].outcome.way.server.type.name == GPU
    assert f"the GPU {found.runners_up[0].why.removeprefix('costs ')}," in TEXT
