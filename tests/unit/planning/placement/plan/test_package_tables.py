"""Plans from the package's own prices and speeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.plan_questions import AROUND, work
from videojob.adapters.files.package_data import offers, published_speeds, small_prices
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import Allowed
from videojob.planning.throughput.lookup import ModelOnHardware

REGION = "us-east-1"
ON_CPU = ModelOnHardware("yolov8s", "sha256:0", 640 * 640, "onnxruntime", replica_cpus=3)
YOLOV8S: dict[Accelerator, ModelOnHardware] = {
    "cpu": ON_CPU,
    "gpu": replace(ON_CPU, backend="tensorrt", replica_cpus=0.0, keeps_engines=True),
}


def plan_of(frames: int, allowed: Allowed) -> Plan:
    asked = replace(work(frames), models=YOLOV8S)
    found = make_plan(Question(asked, allowed, AROUND, offers(REGION), small_prices(REGION), published_speeds()))
    assert isinstance(found, Plan)
    return found


def test_a_type_with_a_gpu_has_the_speed_of_its_gpu_and_not_of_its_cpus() -> None:
    t4 = offers(REGION).types["g4dn.xlarge"]
    on_gpu = published_speeds().replica(YOLOV8S["gpu"], t4)
    on_cpu = published_speeds().replica(YOLOV8S["cpu"], offers(REGION).types["c7i.xlarge"])
    assert on_gpu is not None
    assert on_cpu is not None
    assert on_gpu.mean > 5 * on_cpu.mean


@pytest.mark.parametrize("allowed", [Allowed(), Allowed(deadline_s=7200)])
def test_an_hour_of_video_goes_to_a_gpu_because_cpus_cost_more(allowed: Allowed) -> None:
    found = plan_of(90_000, allowed)
    on_cpus = plan_of(90_000, replace(allowed, accelerators=("cpu",)))
    assert found.chosen.way.accelerator == "gpu"
    assert found.chosen.usd < on_cpus.chosen.usd
