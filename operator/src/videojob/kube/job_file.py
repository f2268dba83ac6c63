"""The file that tells planner and worker pods their job: the VideoJob and where the cluster keeps its results.

The controller writes it into a ConfigMap of the job's namespace (`kube.render.jobs.config_map`), the pods and the
command line read it there; it holds no secret. Running jobs have files of earlier releases, so fields are only added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.api.videojob import VideoJob

JOB_FILE = "job.json"
"""Its name, in the ConfigMap and in the pods' folder."""


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

    def text(self) -> str:
        """The file's content; the same job always gives the same text."""
        metadata = self.job.metadata
        # What may change while the job runs is left out: its pods learn it otherwise.
        left_out = {"suspend", "resumes"}
        cluster: dict[str, Any] = {
            "uid": self.uid,
            "table": self.table,
            "region": self.region,
            "modelDigest": self.model_digest,
            "modelVersion": self.model_version,
        }
        if self.retention_s is not None:
            cluster["retentionSeconds"] = self.retention_s
        job = {
            "metadata": {"name": metadata.name, "namespace": metadata.namespace, "uid": metadata.uid},
            "spec": self.job.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=left_out),
        }
        return json.dumps({"job": job, "cluster": cluster}, sort_keys=True)


def parse_job_file(text: str) -> JobFile:
    """The job of a file's content; raises KeyError, TypeError or ValueError on anything else."""
    values = json.loads(text)
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


def results_place(text: str) -> tuple[str | None, str | None]:
    """(table, region) that a file names, None for what it does not; also of a file of another release."""
    try:
        values = json.loads(text)
    except ValueError:
        return None, None
    cluster = values.get("cluster") if isinstance(values, Mapping) else None
    if not isinstance(cluster, Mapping):
        return None, None
    return cluster.get("table"), cluster.get("region")
