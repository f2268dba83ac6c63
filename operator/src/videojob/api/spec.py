"""What a user asks for: the `spec` of a VideoJob.

It says which videos, which model, by when and for how much. It has no pod template, image, service account, volume or
environment on purpose: who may create a VideoJob must not thereby be able to run arbitrary code in the cluster.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from videojob.api.base import WHOLE, Items, Model
from videojob.api.inputs import FileInput, HttpInput, Input, S3Input
from videojob.api.outputs import (
    DetectionsOutput,
    DynamoDbTarget,
    Notifications,
    PreviewOutput,
    Results,
    S3Target,
    SnsTarget,
)
from videojob.api.rules import ListType, Rule, between
from videojob.api.text import ClassName, ControllerName, DnsSubdomain, InstanceType, ModelName
from videojob.api.units import DecimalField, DecimalText, Duration

__all__ = [
    "MUTABLE_AFTER_START",
    "MUTABLE_WITH_RESUMES",
    "Aggregation",
    "Budget",
    "Compute",
    "Deadline",
    "DetectionsOutput",
    "DynamoDbTarget",
    "FileInput",
    "Gate",
    "HttpInput",
    "Input",
    "Limits",
    "ModelRef",
    "Notifications",
    "PreviewOutput",
    "Results",
    "S3Input",
    "S3Target",
    "Sampling",
    "SnsTarget",
    "VideoJobSpec",
]

MAX_INPUTS = 256
DAY_S = 86_400
Backend = Literal["auto", "local", "kubernetes", "lambda", "sagemaker"]
CLUSTER_BACKENDS = ("kubernetes", "lambda", "sagemaker")


class ModelRef(Model):
    """Which model processes the frames, and which of its detections count."""

    name: ModelName
    """Name of the model's folder in the model repository."""
    version: Annotated[int, Field(ge=1, le=2_147_483_647), WHOLE] | None = None
    """Number of the version's folder; without it the server's own choice, by default the highest one."""
    threshold: Annotated[DecimalField, between("0", "1")] = DecimalText("0.5")
    """Lowest score that a detection needs, from 0 to 1."""
    classes: Annotated[Items[ClassName], Field(min_length=1, max_length=1000), ListType("set")] | None = None
    """Labels of the classes that count, as the model's labels.txt has them; without it all of them."""


class Gate(Model):
    """Motion gate: a frame that hardly differs from the last inferred one repeats its detections, at no cost.

    `gate: {}` takes the defaults.
    """

    threshold: Annotated[DecimalField, between("0.001", "255")] = DecimalText("2")
    """Mean difference in brightness, on a scale of 0 to 255, from which a frame counts as moved."""
    max_skip: Annotated[Duration, between("1ms", "1h")] = Duration("2s")
    """A frame is inferred at least this often, however still the picture is."""


def _one_sampling_mode(sampling: Sampling) -> bool:
    modes = (sampling.frames_per_second is not None, sampling.every_nth_frame is not None, sampling.keyframes_only)
    return sum(modes) <= 1


class Sampling(Model):
    """Which frames are selected: at most one of `framesPerSecond`, `everyNthFrame` and `keyframesOnly`.

    With none of them, every frame is.
    """

    frames_per_second: Annotated[DecimalField, between("0.001", "240")] | None = None
    """Frames per second of video time, such as 2 or "2.5"."""
    every_nth_frame: Annotated[int, Field(ge=1, le=100_000), WHOLE] | None = None
    """One frame of each n, in presentation order."""
    keyframes_only: bool = False
    """Only frames that decode on their own: by far the cheapest, at whatever rate the encoder set them."""
    gate: Gate | None = None

    RULES: ClassVar = (
        Rule(
            "[has(self.framesPerSecond), has(self.everyNthFrame), has(self.keyframesOnly) && self.keyframesOnly]"
            ".filter(chosen, chosen).size() <= 1",
            _one_sampling_mode,
            "give at most one of framesPerSecond, everyNthFrame and keyframesOnly",
        ),
    )


class Aggregation(Model):
    """How detections become results."""

    window: Annotated[Duration, between("1s", "1h")] = Duration("10s")
    """Length of the windows in which detections are counted."""
    presence_gap: Annotated[Duration, between("1ms", "10m")] = Duration("2s")
    """A class without a detection for longer than this has left the picture."""
    track: bool = False
    """Follow objects from frame to frame and count each of them once."""


class Limits(Model):
    """The most that the job may use at one time."""

    cpus: Annotated[int, Field(ge=1, le=100_000), WHOLE] | None = None
    """CPU cores of all workers together."""
    gpus: Annotated[int, Field(ge=0, le=10_000), WHOLE] | None = None
    """GPUs; 0 keeps the job off them."""
    workers: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    """Worker processes."""


def _gpu_allowed(compute: Compute) -> bool:
    return not (compute.accelerator == "gpu" and compute.limits is not None and compute.limits.gpus == 0)


def _local_has_no_instances(compute: Compute) -> bool:
    return compute.backend != "local" or (compute.capacity_types is None and compute.instance_types is None)


class Compute(Model):
    """Where the job may run. By default the number of frames chooses between CPUs and GPUs on a cluster."""

    backend: Backend = "auto"
    """What runs the segments: this machine or a cluster; this version has no `lambda` and no `sagemaker`."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """What the model runs on."""
    capacity_types: (
        Annotated[Items[Literal["spot", "on-demand"]], Field(min_length=1, max_length=2), ListType("set")] | None
    ) = None
    """Allowed capacity types of the instances; without it, both."""
    instance_types: Annotated[Items[InstanceType], Field(min_length=1, max_length=50), ListType("set")] | None = None
    """Allowed EC2 instance types of the inference server, and of the workers too when it runs on CPUs; without it, all
    that the cluster can provision."""
    limits: Limits | None = None
    segment_seconds: Annotated[int, Field(ge=20, le=60), WHOLE] = 30
    """Target length of a segment: the most work that is lost when a machine is terminated."""

    RULES: ClassVar = (
        Rule(
            "!(has(self.accelerator) && self.accelerator == 'gpu' && has(self.limits) && has(self.limits.gpus)"
            " && self.limits.gpus == 0)",
            _gpu_allowed,
            "accelerator gpu contradicts limits.gpus 0",
            field="accelerator",
        ),
        Rule(
            "!(has(self.backend) && self.backend == 'local') || !(has(self.capacityTypes) || has(self.instanceTypes))",
            _local_has_no_instances,
            "backend local takes neither capacityTypes nor instanceTypes",
            field="backend",
        ),
    )


class Deadline(Model):
    """By when the results must exist; without it, nothing is sized for speed."""

    complete_within: Annotated[Duration, between("1s", "720h")]
    """Time from the start of the job to its results; capacity is sized for it. Missing it does not stop the job."""


class Budget(Model):
    """What the job may cost. `videojob estimate` respects it; a cluster rejects it, and `videojob run` ignores it."""

    max_cost: Annotated[DecimalField, between("0.000001", "10000000")]
    """US dollars, such as 3 or "2.50"."""


def _names_unique(spec: VideoJobSpec) -> bool:
    names = [item.name for item in spec.inputs if item.name is not None]
    return len(names) == len(set(names))


def _files_stay_local(spec: VideoJobSpec) -> bool:
    return spec.compute.backend not in CLUSTER_BACKENDS or all(item.file is None for item in spec.inputs)


def _outputs_reachable(spec: VideoJobSpec) -> bool:
    outputs = [output for output in (spec.results.detections, spec.results.preview) if output and output.enabled]
    return spec.compute.backend not in CLUSTER_BACKENDS or all(output.s3 is not None for output in outputs)


def _deadline_before_limit(spec: VideoJobSpec) -> bool:
    if spec.deadline is None or spec.active_deadline_seconds is None:
        return True
    return spec.deadline.complete_within.ms // 1000 <= spec.active_deadline_seconds


_OFF_CLUSTER = "!has(self.compute) || !has(self.compute.backend) || self.compute.backend in ['auto', 'local']"


def _output_cel(name: str) -> str:
    return (
        f"!has(self.results) || !has(self.results.{name}) || has(self.results.{name}.s3)"
        f" || (has(self.results.{name}.enabled) && !self.results.{name}.enabled)"
    )


class VideoJobSpec(Model):
    """What is asked for. Once the job has started, only `suspend`, `budget`, `deadline` and `resumes` may change, and
    together with `resumes` also `activeDeadlineSeconds` and `backoffLimit`.
    """

    inputs: Annotated[Items[Input], Field(min_length=1, max_length=MAX_INPUTS), ListType("atomic")]
    """The videos, in the order of the results. One S3 prefix or folder may stand for many."""
    model: ModelRef
    sampling: Sampling = Sampling()
    aggregation: Aggregation = Aggregation()
    compute: Compute = Compute()
    deadline: Deadline | None = None
    budget: Budget | None = None
    results: Results = Results()
    notifications: Notifications | None = None
    on_corruption: Literal["Fail", "Skip"] = "Fail"
    """`Fail`: a damaged stretch of video fails the job. `Skip`: the results name it as a gap."""
    suspend: bool = False
    """Suspends the job: running segments end, nothing new starts, capacity is released. False resumes it."""
    resumes: Annotated[int, Field(ge=0, le=100), WHOLE] = 0
    """Raise it by one to resume a job that failed: committed segments are kept, all others run again, and time limits
    restart. It only grows. A job that succeeded stays as it is."""
    backoff_limit: Annotated[int, Field(ge=0, le=20), WHOLE] = 5
    """How often a retryable failure is retried: on one machine at once, on a cluster by another pod, after 10 s, 20 s,
    40 s and so on. A video that still cannot be read fails by name, and the others continue; the job fails when the
    server or the table is the cause."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=30 * DAY_S), WHOLE] | None = None
    """Hard limit: a job that runs longer, in seconds, is stopped and fails with DeadlineExceeded. As for a batch Job,
    the time restarts with each resume and does not count while the job is suspended."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=365 * DAY_S), WHOLE] | None = None
    """The VideoJob is deleted this many seconds after its end; results stay. Without it, never."""
    priority_class_name: DnsSubdomain | None = None
    """PriorityClass of the worker pods."""
    controller_name: ControllerName | None = None
    """Name of the controller that serves this VideoJob, the chart's `controllerName`. Without it, `videojob`."""

    RULES: ClassVar = (
        Rule(
            "self.inputs.all(one, !has(one.name) ||"
            " self.inputs.filter(other, has(other.name) && other.name == one.name).size() == 1)",
            _names_unique,
            "no two inputs may have the same name",
            field="inputs",
        ),
        Rule(
            f"{_OFF_CLUSTER} || self.inputs.all(one, !has(one.file))",
            _files_stay_local,
            "file inputs are for the backends auto and local: put the video into S3",
            field="inputs",
        ),
        Rule(
            f"{_OFF_CLUSTER} || (({_output_cel('detections')}) && ({_output_cel('preview')}))",
            _outputs_reachable,
            "detections and preview need an s3 target when the backend is not this machine",
            field="results",
        ),
        Rule(
            "!has(self.deadline) || !has(self.activeDeadlineSeconds) || duration(self.deadline.completeWithin)"
            ".getSeconds() <= self.activeDeadlineSeconds",
            _deadline_before_limit,
            "deadline.completeWithin must not be longer than activeDeadlineSeconds",
            field="deadline",
        ),
    )


MUTABLE_AFTER_START = ("suspend", "budget", "deadline", "resumes")
"""Fields of the spec (as users write them) that may change while the job runs."""
MUTABLE_WITH_RESUMES = ("activeDeadlineSeconds", "backoffLimit")
"""Those that may change beside a growing `resumes` only: what they were when the job failed may be why."""
