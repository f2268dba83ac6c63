"""What a VideoJob has come to: its `status`, written by the controller, and by `videojob run` into the report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from videojob.api.base import WHOLE, Items, Model
from videojob.api.rules import ListType
from videojob.api.text import LongText, Reason, ShortText, Timestamp
from videojob.api.units import DecimalText

MAX_COUNT = 2**53 - 1
"""Largest whole number that every JSON reader keeps exactly."""
Count = Annotated[int, Field(ge=0, le=MAX_COUNT), WHOLE]
ConditionType = Literal["Succeeded", "CapacityReady", "ServerReady", "Suspended"]


class Condition(Model):
    """One observed fact, in the form that all of Kubernetes uses."""

    type: ConditionType
    """Succeeded (Unknown while the job works), CapacityReady, ServerReady or Suspended."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Reason
    """Why, in one word; the reference lists all of them with what to do."""
    message: LongText = ""
    """The same for a person: the object, the place in it, what to do, whether it is retryable."""
    last_transition_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})]
    """When `status` last changed."""
    observed_generation: Count | None = None
    """The generation of the spec that this is about."""


class Progress(Model):
    """How far the job is."""

    frames_done: Count = 0
    """Frames looked at and committed."""
    frames_total: Count | None = None
    """Frames to look at, an estimate until each video was read to its end."""
    segments_done: Count = 0
    """Segments committed."""
    segments_total: Count | None = None
    """Segments of all videos."""
    progress_percentage: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    """Share of the frames that is done."""
    estimated_remaining_seconds: Count | None = None
    """Time to the end at the present rate."""
    last_updated_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When these figures were taken."""


class Throughput(Model):
    """How fast the job is."""

    frames_per_second: DecimalText | None = None
    """Frames per second, over the last minute."""
    mean_batch: DecimalText | None = None
    """Mean number of frames in one execution of the model."""


class CostBreakdown(Model):
    """What the accrued cost consists of, in US dollars."""

    decode: DecimalText = DecimalText("0")
    """CPU that decoded and prepared."""
    inference: DecimalText = DecimalText("0")
    """Instances that ran the model."""
    cold_start: DecimalText = DecimalText("0")
    """Instances that were still starting."""
    idle: DecimalText = DecimalText("0")
    """Instances that waited for work or for their end."""
    writes: DecimalText = DecimalText("0")
    """Writes to the results table."""


class Cost(Model):
    """What the job costs, in US dollars."""

    accrued: DecimalText | None = None
    """Spent so far."""
    forecast: DecimalText | None = None
    """Expected in all, at the end."""
    breakdown: CostBreakdown | None = None
    wasted: DecimalText | None = None
    """Part of the accrued cost for work that was lost or for capacity that waited."""
    price_source: Literal["karpenter", "aws", "static"] | None = None
    """Where the prices are from."""
    price_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When those prices were read."""


class RunnerUp(Model):
    """A place that was not chosen."""

    backend: ShortText
    """What would run the segments."""
    instance_type: ShortText | None = None
    """EC2 instance type."""
    capacity_type: ShortText | None = None
    """How it would be paid for."""
    cost: DecimalText | None = None
    """What the job would cost there, in US dollars."""
    why_not: LongText = ""
    """Why another place was chosen."""


class ChosenServer(Model):
    """The inference server that was chosen for a run."""

    model: ShortText
    """Name of the model."""
    version: Annotated[int, Field(ge=1, le=MAX_COUNT), WHOLE]
    """Version of the model."""
    accelerator: Literal["cpu", "gpu"]
    """What it computes on."""
    gpu: ShortText = ""
    """The GPU model of all replicas; not there on CPUs."""
    capacity_types: Annotated[Items[Literal["spot", "on-demand"]], Field(max_length=2), ListType("atomic")] = ()
    """Capacity types that the job restricts it to."""
    instance_types: Annotated[Items[ShortText], Field(max_length=64), ListType("atomic")] = ()
    """EC2 instance types that the job restricts it to."""


class Placement(Model):
    """Where the job runs, and why."""

    backend: Literal["local", "kubernetes", "lambda", "sagemaker"]
    """What runs the segments."""
    instance_type: ShortText | None = None
    """EC2 instance type of the inference server."""
    capacity_type: Literal["spot", "on-demand"] | None = None
    """How it is paid for."""
    replicas: Annotated[int, Field(ge=0, le=100_000), WHOLE] = 0
    """Inference servers wanted."""
    gpus: Annotated[int, Field(ge=0, le=100_000), WHOLE] = 0
    """GPUs in use."""
    why: LongText = ""
    """Why this place."""
    epoch: Annotated[int, Field(ge=1, le=MAX_COUNT), WHOLE] | None = None
    """The run that it was chosen for; within it, it does not change once a worker has started."""
    server: ChosenServer | None = None
    """The inference server that was chosen for that run."""
    runners_up: Annotated[Items[RunnerUp], Field(max_length=10), ListType("atomic")] = ()
    """The next best places, cheapest first."""


class ResultsLocation(Model):
    """Where the results are."""

    table: ShortText | None = None
    """DynamoDB table, or SQLite file."""
    summary_key: ShortText | None = None
    """Key of the summary in the table."""
    detections: LongText | None = None
    """URI below which the per-frame detections lie."""
    preview: LongText | None = None
    """URI below which the previews lie."""
    report: LongText | None = None
    """URI of the report."""


class Columns(Model):
    """Texts for the columns of `kubectl get videojobs`, which cannot compute; exact figures stand elsewhere."""

    progress: ShortText = "-"
    """Frames done of all frames, as in "8400/18000"."""
    frames_per_second: ShortText = "-"
    """Whole frames per second."""
    gpus: ShortText = "-"
    """GPUs in use."""
    eta: ShortText = "-"
    """Time to the end, as in "23s"."""
    cost: ShortText = "-"
    """Spent so far, as in "$0.07"."""


class Stall(Model):
    """A server that is paid while nothing is committed."""

    seconds: Count = 0
    """Paid time since the last commit, up to `countedTime`. Waiting for capacity, a turn or the table is none."""
    counted_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """Up to when it was counted; not there while no server is paid."""
    held_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """Since when workers are held for it; it is tried again after as long as a try may take."""
    tries: Annotated[int, Field(ge=0, le=100), WHOLE] = 0
    """How often workers were held for it; after the third time that it would be, the job fails."""
    cause: LongText = ""
    """Why nothing was committed."""


class VideoJobStatus(Model):
    """What the job has come to."""

    observed_generation: Count | None = None
    """The generation of the spec that this status is about."""
    conditions: Annotated[Items[Condition], Field(max_length=8), ListType("map", "type")] = ()
    """Observed facts; `kubectl wait --for=condition=Succeeded` works."""
    start_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the job was first acted on. From then on most of the spec is immutable."""
    completion_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the job ended, whichever way; not there while a job goes on that was resumed."""
    resumes: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    """The `spec.resumes` that was acted on."""
    resume_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the job was last resumed after a bad end: activeDeadlineSeconds and the deadline count from then."""
    progress: Progress | None = None
    throughput: Throughput | None = None
    cost: Cost | None = None
    placement: Placement | None = None
    results: ResultsLocation | None = None
    columns: Columns | None = None
    stall: Stall | None = None
    epoch: Annotated[int, Field(ge=1, le=MAX_COUNT), WHOLE] | None = None
    """Number of the run that owns the results; an older one may not write any more."""
    conflicting_segments: Count | None = None
    """Segments that came to a second, different result, which should not be; the first one stays."""
    message: LongText = ""
    """The state of the job in one sentence, with what to do when it waits or failed."""
