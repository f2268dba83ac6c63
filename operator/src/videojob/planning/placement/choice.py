"""Where a job's frames are answered and how much of it is needed: which server, how fast, how many workers. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TypedDict

from videojob.api.spec import VideoJobSpec
from videojob.errors import ModelNotFound, NoPlacement
from videojob.planning.installation import Accelerator, Installation, InstalledModel, ServerVariant, WorkerSettings
from videojob.planning.placement.gpus import one_gpu
from videojob.planning.placement.quantities import cpus_of
from videojob.planning.state.last_status import LastStatus
from videojob.planning.state.placement import Place, ServerKey
from videojob.video.plan import PlanHead

GPU_PAYS_FROM_FRAMES = 43_000
"""Below it a CPU server is cheaper than a GPU that must be started first: derived from published figures for YOLOv8s at
320 px on a T4 spot instance against c7i (docs/design/025), not measured here."""

_KINDS: tuple[Accelerator, ...] = ("cpu", "gpu")
_START_S = 60  # scheduler and image of the workers, when nothing is warm; the server's own start is its variant's
_END_S = 15  # the last segments, the summary


def model_of(spec: VideoJobSpec, installation: Installation) -> InstalledModel:
    """The model that is asked for.

    Raises:
        ModelNotFound: this installation has no such model, or another version of it.
    """
    asked = spec.model
    model = installation.models.get(asked.name)
    if model is None:
        known = ", ".join(sorted(installation.models)) or "none"
        hint = f"This installation has: {known}. Its administrator adds models to the chart's values."
        raise ModelNotFound("this installation has no such model", uri=asked.name, hint=hint)
    if asked.version not in {None, model.version}:
        hint = f"Leave the version out, or ask for {model.version}."
        raise ModelNotFound(f"this installation has no version {asked.version} of it", uri=asked.name, hint=hint)
    return model


def frames_of(head: PlanHead | None, recorded: LastStatus) -> int:
    """The job's frames, as places depend on them: of its plan; without it, as its status remembers that estimate."""
    return recorded.frames_total or 0 if head is None else head.frames


def place(spec: VideoJobSpec, installation: Installation, frames: int) -> Place:
    """Where the job's frames go.

    Args:
        spec: of the job.
        installation: what there is.
        frames: that the job asks for, an estimate; the same for all of its life.

    Raises:
        ModelNotFound: see `model_of`. NoPlacement: see `allowed_kinds`.
    """
    model = model_of(spec, installation)
    kind, why = _choose(allowed_kinds(spec, installation, model), spec, model, frames)
    variant, types = model.variants[kind], tuple(sorted(spec.compute.instance_types or ()))
    gpu = ""
    if variant.gpus:
        gpu, types = one_gpu(types, installation.accelerators[kind].gpu_models)
    key = ServerKey(
        model=model.name,
        version=model.version,
        accelerator=kind,
        capacity_types=tuple(sorted(spec.compute.capacity_types or ())),
        instance_types=types,
        gpu=gpu,
    )
    return Place(key, model, variant, why)


def allowed_kinds(spec: VideoJobSpec, installation: Installation, model: InstalledModel) -> list[Accelerator]:
    """What the job's model may compute on.

    Raises:
        NoPlacement: the model is not offered on what the job allows, or not one worker fits its limits.
    """
    _check_worker_fits(spec, installation)
    offered = [kind for kind in _KINDS if kind in model.variants and kind in installation.accelerators]
    allowed = [kind for kind in offered if _allows(spec, kind, model)]
    if not allowed:
        have = ", ".join(offered) or "nothing"
        raise NoPlacement(
            f"model {model.name} is served on {have} here, and the job allows none of these",
            hint="Relax spec.compute.accelerator or spec.compute.limits.gpus.",
        )
    return allowed


def _check_worker_fits(spec: VideoJobSpec, installation: Installation) -> None:
    limits, worker = spec.compute.limits, installation.worker
    if limits is not None and limits.cpus is not None and limits.cpus < cpus_of(worker.cpu):
        raise NoPlacement(
            f"one worker takes {worker.cpu} CPUs, but the job allows {limits.cpus}",
            hint="Raise spec.compute.limits.cpus.",
        )


def _allows(spec: VideoJobSpec, kind: Accelerator, model: InstalledModel) -> bool:
    if spec.compute.accelerator not in {"auto", kind}:
        return False
    limits = spec.compute.limits
    most = None if limits is None else limits.gpus
    return most is None or model.variants[kind].gpus <= most


def _choose(
    allowed: list[Accelerator], spec: VideoJobSpec, model: InstalledModel, frames: int
) -> tuple[Accelerator, str]:
    if spec.compute.accelerator != "auto":
        return allowed[0], f"spec.compute.accelerator asks for {allowed[0]}"
    if len(allowed) == 1:
        return allowed[0], f"only {allowed[0]} is offered and allowed for this model"
    if not _can_meet_deadline(spec, model.variants["cpu"], frames):
        return "gpu", "CPU servers cannot meet the deadline"
    if frames >= GPU_PAYS_FROM_FRAMES:
        return "gpu", f"{frames:,} frames are worth starting a GPU (from about {GPU_PAYS_FROM_FRAMES:,})"
    return "cpu", f"{frames:,} frames are not worth starting a GPU (from about {GPU_PAYS_FROM_FRAMES:,})"


def _can_meet_deadline(spec: VideoJobSpec, variant: ServerVariant, frames: int) -> bool:
    """Whether all replicas together are fast enough, when nothing is warm; without deadline they are."""
    if spec.deadline is None:
        return True
    left_s = float(spec.deadline.complete_within.seconds) - _START_S - variant.start_s - _END_S
    return left_s > 0 and frames <= left_s * variant.frames_per_second * variant.max_replicas


class Times(TypedDict):
    """When a job began, what the time is, and whether its server answers already."""

    started_s: float
    now_s: float
    warm: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a job has to be.

    Attributes:
        server: frames per second that it asks of its server.
        workers: frames per second that its workers together must be able to decode and send.
    """

    server: Fraction
    workers: Fraction


def pace(
    spec: VideoJobSpec, variant: ServerVariant, frames_left: int, *, started_s: float, now_s: float, warm: bool
) -> Pace:
    """How fast the job has to be: for its deadline, or as fast as one replica when it has none.

    One replica costs least: it starts once, and is busy to the end. Of a job with few frames it asks only so much of
    the server that they take as long as another replica would take to come: less than that is not worth starting one.
    A deadline that is near or past is no reason to ask for more than could still come in time.

    Args:
        spec: of the job.
        variant: of its server.
        frames_left: that are not committed.
        started_s: when the job began.
        now_s: the time.
        warm: the server answers already.
    """
    least_s = max(1, variant.start_s)
    if spec.deadline is None:
        few = Fraction(frames_left, least_s)
        return Pace(max(Fraction(1), min(variant.frames_per_second, few)), variant.frames_per_second)
    left_s = deadline_left_s(spec, variant, started_s=started_s, now_s=now_s, warm=warm) or 0.0
    # Whole frames: the demand shall not change with each reconcile.
    needed = Fraction(max(1, math.ceil(frames_left / max(least_s, left_s))))
    return Pace(needed, needed)


def deadline_left_s(
    spec: VideoJobSpec, variant: ServerVariant, *, started_s: float, now_s: float, warm: bool
) -> float | None:
    """Seconds that are left for work until the deadline, negative when it is past; None without one. Arguments as
    those of `pace`.
    """
    if spec.deadline is None:
        return None
    reserve_s = _END_S if warm else _START_S + variant.start_s + _END_S
    return started_s + float(spec.deadline.complete_within.seconds) - now_s - reserve_s


def worker_count(spec: VideoJobSpec, installation: Installation, frames_per_second: Fraction, indexes: int) -> int:
    """Concurrent workers.

    Args:
        spec: of the job, for its limits.
        installation: what one worker does and takes.
        frames_per_second: `Pace.workers`.
        indexes: of the Job; more workers than these would find nothing to do.
    """
    most = min(most_workers(spec, installation), max(1, indexes))
    return max(1, min(workers_for(frames_per_second, installation.worker), most))


def workers_for(frames_per_second: Fraction, settings: WorkerSettings) -> int:
    """Workers that decode and send so much together, at least one."""
    return max(1, math.ceil(frames_per_second / settings.frames_per_second))


def most_workers(spec: VideoJobSpec, installation: Installation) -> int:
    """Workers that the installation and the job's own limits allow, at least one."""
    settings, limits = installation.worker, spec.compute.limits
    most = [settings.max_workers]
    if limits is not None and limits.workers is not None:
        most.append(limits.workers)
    if limits is not None and limits.cpus is not None:
        most.append(int(limits.cpus / cpus_of(settings.cpu)))
    return max(1, min(most))


def most_replicas(spec: VideoJobSpec, variant: ServerVariant) -> int | None:
    """Replicas that the job's own limit of GPUs allows; None for no bound."""
    limits = spec.compute.limits
    if limits is None or limits.gpus is None or variant.gpus == 0:
        return None
    return max(1, limits.gpus // variant.gpus)
