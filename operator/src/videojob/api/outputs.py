"""Where results go and who is notified: `results` and `notifications` of a VideoJob's spec."""

from __future__ import annotations

from typing import ClassVar, Literal

from videojob.api.base import Model
from videojob.api.rules import at_least_one_of
from videojob.api.text import Account, Bucket, ObjectKey, Region, TableName, TopicArn


class DynamoDbTarget(Model):
    """A DynamoDB table for the aggregated results."""

    table_name: TableName
    """The table's name."""
    region: Region | None = None
    """AWS region of the table; by default the job's own. On a cluster it can only be that of the installation."""


class S3Target(Model):
    """A place in S3 to write to."""

    bucket: Bucket
    """The bucket's name."""
    prefix: ObjectKey | None = None
    """Beginning of the keys to write."""
    expected_bucket_owner: Account | None = None
    """AWS account that must own the bucket; a request to another owner's bucket fails."""


class DetectionsOutput(Model):
    """Every single detection of every frame, as Parquet files beside the aggregated results."""

    enabled: bool = True
    """Whether they are written; lets an overlay switch them off."""
    s3: S3Target | None = None
    """Where they go; without it, into the output folder of `videojob run`. A cluster rejects detections for now."""


class PreviewOutput(Model):
    """A small copy of each video in which the detections are drawn."""

    enabled: bool = True
    """Whether it is made; lets an overlay switch it off."""
    mode: Literal["boxes", "blur"] = "boxes"
    """Draw boxes around detections, or blur what is inside."""
    s3: S3Target | None = None
    """Where it goes; without it, into the output folder of `videojob run`. A cluster rejects a preview for now."""


class Results(Model):
    """Where results go, and which ones are made beside the aggregated ones."""

    dynamodb: DynamoDbTarget | None = None
    """Table for the aggregated results. `videojob run` uses it with `--sink dynamodb`, else a SQLite file; on a cluster
    the operator's own table is the default."""
    detections: DetectionsOutput | None = None
    """Per-frame detections; off by default, `detections: {}` switches them on."""
    preview: PreviewOutput | None = None
    """Annotated preview; off by default, `preview: {}` switches it on."""

    @property
    def detections_enabled(self) -> bool:
        """Whether per-frame detections are to be written."""
        return self.detections is not None and self.detections.enabled


class SnsTarget(Model):
    """An SNS topic."""

    sns_topic_arn: TopicArn
    """ARN of the topic."""


class Notifications(Model):
    """Who is notified when the job has ended. This version publishes nothing yet and says so."""

    success: SnsTarget | None = None
    """Notified when all results exist."""
    error: SnsTarget | None = None
    """Notified when the job failed, or has gaps."""

    RULES: ClassVar = (at_least_one_of("success", "error"),)
