"""What an estimate asks the planner, with the package's own prices and speeds."""

from __future__ import annotations

from pathlib import Path

from support.decisions import a_job
from support.video_values import video_info
from videojob.local.estimate import question_of
from videojob.local.models.catalogue import CatalogueEntry
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.search import Question
from videojob.vision.tensors import ModelContract, PixelInput

H_MS = 3_600_000


def asked(hours: int, **spec: object) -> Question:
    """A question about videos of 1080p with 25 frames a second for YOLOv8s."""
    pixels = PixelInput(name="images", dtype="FP32", layout="NCHW", colour="RGB", width=640, height=640)
    facts = ModelContract("yolov8s", "", pixels, ("output0",), "yolo", digest="sha256:0")
    model = CatalogueEntry("yolov8s", Path("yolov8s"), (1,), facts, None)
    video = video_info(width=1920, height=1080, duration_ms=H_MS, frames_estimate=90_000)
    job = a_job({"model": {"name": "yolov8s"}, **spec})
    return question_of(job, [video] * hours, model, facts, "us-east-1")


def planned(question: Question) -> Plan:
    plan = make_plan(question)
    assert isinstance(plan, Plan)
    return plan


def test_a_gpu_has_the_speed_of_gpus_and_a_cpu_that_of_its_vcpus() -> None:
    question = asked(1)
    types = question.offers.types
    on_gpu = question.speeds.replica(question.work.models["gpu"], types["g4dn.xlarge"])
    on_cpu = question.speeds.replica(question.work.models["cpu"], types["c7i.xlarge"])
    assert on_gpu is not None
    assert on_cpu is not None
    assert on_gpu.mean > 10 * on_cpu.mean


def test_videos_of_many_hours_are_cheapest_on_a_gpu_and_a_short_one_on_cpus() -> None:
    assert planned(asked(10)).chosen.way.accelerator == "gpu"
    short = asked(1, sampling={"everyNthFrame": 900})
    assert planned(short).chosen.way.accelerator == "cpu"


def test_without_gpus_the_same_videos_cost_more() -> None:
    free, bound = planned(asked(10)), planned(asked(10, compute={"accelerator": "cpu"}))
    assert bound.chosen.way.accelerator == "cpu"
    assert bound.chosen.usd > free.chosen.usd
