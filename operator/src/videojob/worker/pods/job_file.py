"""The file that tells planner and worker pods their job: the VideoJob and where the cluster keeps its results.

The controller writes it into a ConfigMap of the job's namespace (`kube.render.jobs.config_map`); it holds no secret.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videojob.api.videojob import VideoJob
from videojob.errors import ManifestError


@dataclass(frozen=True, slots=True)
class JobFile:
    """One job as its pods see it.

    Attributes:
        job: the VideoJob.
        uid: the job's identity in the results table.
        table: the results table. region: its AWS region, None for the environment's.
        model_digest: "sha256:..." of the model that must answer.
        model_version: the version that must answer.
        retention_s: how long items are kept, see `stored.retention`; None keeps them for good, as do files of earlier
            releases, which do not say.
    """

    job: VideoJob
    uid: str
    table: str
    region: str | None
    model_digest: str
    model_version: int
    retention_s: int | None = None


def read_job_file(path: Path) -> JobFile:
    """The file's content.

    Raises:
        ManifestError: it cannot be read, or is something else: controller and pods are of different versions.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        cluster = values["cluster"]
        retention_s = cluster.get("retentionSeconds")
        return JobFile(
            job=VideoJob.from_manifest(values["job"]),
            uid=str(cluster["uid"]),
            table=str(cluster["table"]),
            region=None if cluster["region"] is None else str(cluster["region"]),
            model_digest=str(cluster["modelDigest"]),
            model_version=int(cluster["modelVersion"]),
            retention_s=None if retention_s is None else int(retention_s),
        )
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise ManifestError(
            f"the job's own file cannot be read: {error}",
            uri=str(path),
            hint="Controller and workers may be of different versions: upgrade the chart as a whole.",
        ) from error
