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
    """Progress of the job."""

    frames_done: Count = 0
    """Frames processed and committed."""
    frames_total: Count | None = None
    """Frames to process, an estimate until each video was read to its end."""
    segments_done: Count = 0
    """Segments committed."""
    segments_total: Count | None = None
    """Segments of all videos."""
    progress_percentage: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    """Share of the frames that is done."""
    estimated_remaining_seconds: Count | None = None
    """Remaining time at the current rate."""
    last_updated_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When these figures were taken."""


class Throughput(Model):
    """Throughput of the job."""

    frames_per_second: DecimalText | None = None
    """Frames per second, over the last minute."""
    mean_batch: DecimalText | None = None
    """Mean number of frames in one execution of the model."""


class CostBreakdown(Model):
    """What the accrued cost consists of, in US dollars. This version fills none of it."""

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
    """What the job costs, in US dollars, where it was placed by price."""

    accrued: DecimalText | None = None
    """Spent so far. This version does not fill it."""
    forecast: DecimalText | None = None
    """Expected in all, at the end, as it was when the job was placed."""
    forecast_low: DecimalText | None = None
    """The forecast of the cheapest instances that may be launched."""
    forecast_high: DecimalText | None = None
    """In nine of ten cases it costs less, on whichever of these instances."""
    breakdown: CostBreakdown | None = None
    wasted: DecimalText | None = None
    """Part of the accrued cost for work that was lost or for capacity that waited."""
    price_source: Literal["karpenter", "aws", "static", "values"] | None = None
    """Where the price of the chosen instances is from: Karpenter's metrics, AWS' price APIs, the static table, or the
    chart's values."""
    price_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the source stated that price."""
    price_precision: ShortText | None = None
    """What that price was made of, as "this zone", or "another region, scaled"."""


class RunnerUp(Model):
    """A place that was not chosen."""

    backend: ShortText
    """What would run the segments."""
    instance_type: ShortText | None = None
    """EC2 instance type."""
    capacity_type: ShortText | None = None
    """Its capacity type."""
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
    """Its capacity type: spot or on-demand."""
    replicas: Annotated[int, Field(ge=0, le=100_000), WHOLE] = 0
    """Desired replicas of the inference server."""
    gpus: Annotated[int, Field(ge=0, le=100_000), WHOLE] = 0
    """GPUs in use."""
    why: LongText = ""
    """Why this placement was chosen."""
    epoch: Annotated[int, Field(ge=1, le=MAX_COUNT), WHOLE] | None = None
    """The run that it was chosen for; within it, it does not change once a worker has started."""
    server: ChosenServer | None = None
    """The inference server that was chosen for that run."""
    replica_frames_per_second: DecimalText | None = None
    """What one replica of the server is expected to answer, where the placement was chosen by price."""
    finish_seconds: Count | None = None
    """From the choice to the results, as expected then."""
    finish_seconds_p90: Count | None = None
    """The same in nine of ten cases."""
    runners_up: Annotated[Items[RunnerUp], Field(max_length=10), ListType("atomic")] = ()
    """The next best placements, the cheapest first, where the placement was chosen by price."""


class ResultsLocation(Model):
    """Where the results are."""

    table: ShortText | None = None
    """DynamoDB table, or SQLite file."""
    summary_key: ShortText | None = None
    """Key of the summary in the table."""
    detections: LongText | None = None
    """URI prefix of the per-frame detections; not filled on a cluster."""
    preview: LongText | None = None
    """URI prefix of the previews; not filled on a cluster."""
    report: LongText | None = None
    """URI of the report; not filled on a cluster."""


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
    """Expected in all, as in "~$0.07"; "-" where the job was placed without prices."""


class Stall(Model):
    """An inference server that costs money while the job commits nothing."""

    seconds: Count = 0
    """Paid time since the last commit, up to `countedTime`. Waiting for capacity, Kueue or the table does not count."""
    counted_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """Up to when it was counted; absent while no server is paid."""
    held_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """Since when workers are suspended for it; they are resumed after as long as a try may take."""
    tries: Annotated[int, Field(ge=0, le=100), WHOLE] = 0
    """How often workers were suspended for it; the job fails instead of a third time."""
    cause: LongText = ""
    """Why nothing was committed."""


class VideoJobStatus(Model):
    """The observed state of the job."""

    observed_generation: Count | None = None
    """The generation of the spec that this status is about."""
    conditions: Annotated[Items[Condition], Field(max_length=8), ListType("map", "type")] = ()
    """Observed facts; `kubectl wait --for=condition=Succeeded` works."""
    start_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the controller began the job. From then on most of the spec is immutable."""
    completion_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the job succeeded or failed; absent while a resumed job runs."""
    resumes: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    """The last observed `spec.resumes`."""
    resume_time: Annotated[Timestamp, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the job was last resumed after it failed: activeDeadlineSeconds and the deadline count from then."""
    progress: Progress | None = None
    throughput: Throughput | None = None
    cost: Cost | None = None
    placement: Placement | None = None
    results: ResultsLocation | None = None
    columns: Columns | None = None
    stall: Stall | None = None
    epoch: Annotated[int, Field(ge=1, le=MAX_COUNT), WHOLE] | None = None
    """Number of the run that owns the results; an older one can no longer write."""
    conflicting_segments: Count | None = None
    """Segments that got a second, different result, which is a fault; the first one is kept."""
    message: LongText = ""
    """The state of the job in one sentence, with what to do when it waits or failed."""
