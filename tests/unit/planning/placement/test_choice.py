"""Which server a job uses, how fast it has to be, and how its segments are dealt out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from support.decisions import CPU, GPU, INSTALLATION, NOW_S, a_catalogue, a_head, a_job
from videojob.adapters.files.package_data import offers
from videojob.planning.installation import AcceleratorSettings, WorkerSettings
from videojob.planning.placement.choice import (
    GPU_PAYS_FROM_FRAMES,
    Pace,
    frames_of,
    most_replicas,
    pace,
    place,
    worker_count,
)
from videojob.planning.placement.gpus import gpu_models
from videojob.planning.placement.quantities import cpus_of
from videojob.planning.state.last_status import LastStatus


def spec_of(**compute: Any) -> Any:
    deadline = compute.pop("deadline", None)
    spec: dict[str, Any] = {"compute": compute}
    return a_job(spec | ({"deadline": {"completeWithin": deadline}} if deadline else {})).spec


@pytest.mark.parametrize(
    ("compute", "frames", "kind"),
    [
        ({}, 10, "cpu"),
        ({}, GPU_PAYS_FROM_FRAMES - 1, "cpu"),
        ({}, GPU_PAYS_FROM_FRAMES, "gpu"),
        ({"accelerator": "cpu"}, 10**9, "cpu"),
        ({"accelerator": "gpu"}, 1, "gpu"),
        ({"limits": {"gpus": 0}}, 10**9, "cpu"),
        ({"limits": {"gpus": 1}}, 10**9, "gpu"),
        # 4 CPU replicas answer 80 frames a second, after 30 s of their own start and 75 s of the rest.
        ({"deadline": "205s"}, 8000, "cpu"),
        ({"deadline": "205s"}, 8001, "gpu"),
        ({"deadline": "30s"}, 1, "gpu"),
    ],
)
def test_the_cheaper_hardware_that_meets_the_deadline_is_taken(compute: dict[str, Any], frames: int, kind: str) -> None:
    found = place(spec_of(**compute), INSTALLATION, frames)
    assert (found.key.accelerator, found.variant.accelerator) == (kind, kind)
    assert found.why


def test_a_model_with_one_variant_needs_no_choice() -> None:
    model = replace(INSTALLATION.models["face_detector"], variants={"cpu": CPU})
    found = place(spec_of(deadline="1s"), a_catalogue(models={"face_detector": model}), 10**9)
    assert (found.key.accelerator, "only cpu" in found.why) == ("cpu", True)


def test_jobs_with_the_same_constraints_share_a_server_however_they_write_them() -> None:
    one = place(
        spec_of(capacityTypes=["spot", "on-demand"], instanceTypes=["m7i.xlarge", "c7i.xlarge"]), INSTALLATION, 1
    )
    two = place(
        spec_of(capacityTypes=["on-demand", "spot"], instanceTypes=["c7i.xlarge", "m7i.xlarge"]), INSTALLATION, 2
    )
    assert one.key == two.key
    assert one.key != place(spec_of(), INSTALLATION, 1).key


T4_FIRST = {
    "cpu": AcceleratorSettings("triton-cpu", 60),
    "gpu": AcceleratorSettings("triton", 120, gpu_models=("t4", "l4"), gpu_label="karpenter.k8s.aws/instance-gpu-name"),
}


@pytest.mark.parametrize(
    ("types", "gpu", "kept"),
    [
        ([], "t4", ()),
        (["g6.xlarge", "g5.xlarge", "g6.2xlarge"], "l4", ("g6.2xlarge", "g6.xlarge")),
        (["g6.xlarge", "g4dn.xlarge"], "t4", ("g4dn.xlarge",)),
        (["p5.48xlarge"], "h100", ("p5.48xlarge",)),
        # Families that are not known: one of them.
        (["g9.xlarge", "g9.2xlarge", "p9.xlarge"], "", ("g9.2xlarge", "g9.xlarge")),
    ],
)
def test_a_server_has_one_gpu_model(types: list[str], gpu: str, kept: tuple[str, ...]) -> None:
    compute = {"accelerator": "gpu"} | ({"instanceTypes": types} if types else {})
    found = place(spec_of(**compute), a_catalogue(accelerators=T4_FIRST), 1)
    assert (found.key.gpu, found.key.instance_types) == (gpu, kept)


def test_where_nodes_do_not_tell_their_gpu_the_types_alone_keep_gpus_apart() -> None:
    found = place(spec_of(accelerator="gpu", instanceTypes=["g6.xlarge", "g5.xlarge"]), INSTALLATION, 1)
    assert (found.key.gpu, found.key.instance_types) == ("", ("g5.xlarge",))
    assert place(spec_of(accelerator="gpu"), INSTALLATION, 1).key.gpu == ""


def test_servers_on_cpus_have_no_gpu_and_all_types() -> None:
    types = ["g6.xlarge", "g5.xlarge"]
    found = place(spec_of(accelerator="cpu", instanceTypes=types), a_catalogue(accelerators=T4_FIRST), 1)
    assert (found.key.gpu, found.key.instance_types) == ("", tuple(sorted(types)))


def test_gpus_of_families_are_those_of_the_price_table() -> None:
    for one in offers().types.values():
        assert gpu_models([one.family]) == ((one.gpu,) if one.gpus else ()), one.name
    assert gpu_models(["g4dn", "g9", "g6", "gr6"]) == ("t4", "l4")


@pytest.mark.parametrize(
    ("head", "recorded", "kind"),
    [
        (a_head(frames=10**6), LastStatus(frames_total=1), "gpu"),
        (None, LastStatus(frames_total=10**6), "gpu"),
        (None, LastStatus(), "cpu"),
    ],
)
def test_the_server_is_the_same_when_the_table_is_away(head: Any, recorded: LastStatus, kind: str) -> None:
    assert place(spec_of(), INSTALLATION, frames_of(head, recorded)).key.accelerator == kind


@pytest.mark.parametrize(
    ("deadline", "left", "age_s", "warm", "server", "workers"),
    [
        (None, 10**6, 0, False, 900, 900),
        (None, 24_000, 0, False, 100, 900),
        (None, 0, 0, False, 1, 900),
        ("1h", 360_000, 0, True, 101, 101),
        ("1h", 360_000, 0, False, 110, 110),
        ("1h", 360_000, 1800, True, 202, 202),
        # Late: no more than what a replica could still do that comes after 240 s.
        ("1h", 24_000, 10_000, True, 100, 100),
        ("1h", 0, 0, True, 1, 1),
    ],
)
def test_a_job_is_as_fast_as_its_deadline_asks(
    deadline: str | None, left: int, age_s: float, warm: bool, server: int, workers: int
) -> None:
    found = pace(spec_of(deadline=deadline), GPU, left, started_s=NOW_S - age_s, now_s=NOW_S, warm=warm)
    assert found == Pace(Fraction(server), Fraction(workers))


@pytest.mark.parametrize(
    ("limits", "speed", "indexes", "workers"),
    [
        ({}, 900, 100, 15),
        ({}, 901, 100, 16),
        ({}, 900, 4, 4),
        ({}, 1, 100, 1),
        ({}, 10**6, 10**4, 200),
        ({"workers": 3}, 900, 100, 3),
        ({"cpus": 4}, 900, 100, 2),
        ({"cpus": 4, "workers": 1}, 900, 100, 1),
        ({}, 900, 0, 1),
    ],
)
def test_workers_are_as_many_as_keep_the_server_busy_within_the_limits(
    limits: dict[str, int], speed: int, indexes: int, workers: int
) -> None:
    installation = a_catalogue(worker=WorkerSettings(cpu="1500m"))
    spec = spec_of(limits=limits) if limits else spec_of()
    assert worker_count(spec, installation, Fraction(speed), indexes) == workers


@pytest.mark.parametrize(
    ("limits", "gpus", "replicas"), [({}, 1, None), ({"gpus": 4}, 1, 4), ({"gpus": 5}, 2, 2), ({"gpus": 1}, 0, None)]
)
def test_the_jobs_limit_of_gpus_bounds_replicas(limits: dict[str, int], gpus: int, replicas: int | None) -> None:
    spec = spec_of(limits=limits) if limits else spec_of()
    assert most_replicas(spec, replace(GPU, gpus=gpus)) == replicas


@pytest.mark.parametrize(("text", "cores"), [("2", 2), ("1500m", Fraction(3, 2)), ("0.5", Fraction(1, 2))])
def test_quantities_of_cpu_are_read(text: str, cores: Fraction) -> None:
    assert cpus_of(text) == cores
