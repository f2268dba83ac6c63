"""The objects of one VideoJob in its own namespace: the file that tells its pods what to do, and its Jobs. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.kube.job_file import JOB_FILE, JobFile
from videojob.kube.names import (
    ATTEMPT,
    BATCH,
    CONTAINER,
    EPOCH,
    PLACEMENT_REASON,
    REPLICA_SPEED,
    SERVER_KEY,
    child_name,
    job_labels,
    owner_reference,
    results_uid,
    server_key_text,
    server_selector,
)
from videojob.kube.pod_interface import FAILURES_VARIABLE, JOB_FOLDER, SERVER_PATIENCE_S
from videojob.kube.render.pods import job_pod, near, with_place
from videojob.kube.render.servers import server_address
from videojob.planning.installation import Installation
from videojob.planning.placement.tables import results_table
from videojob.planning.state.ending import Ending
from videojob.planning.state.pods import QUEUE_LABEL, PlannerDesired, WorkersDesired

_HASH_DIGITS = 8
_NODE_S = 60  # beyond the server's usual start
_PLAN_BACKSTOP_S = 24 * 3600  # a planner that probes 10,000 videos takes hours: longer is a fault


def config_map(job: VideoJob, installation: Installation) -> dict[str, Any]:
    """What planner and workers read as `kube.job_file`.

    Its name is made from its content: one that is there already says the same, whoever made it and when.
    """
    model = installation.models[job.spec.model.name]
    table, region = results_table(job.spec, installation)
    file = JobFile(
        job,
        uid=results_uid(job.metadata),
        table=table,
        region=region,
        model_digest=model.digest,
        model_version=model.version,
        retention_s=installation.results.retention_s,
    )
    text = file.text()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(job, f"job-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]}", "job"),
        "immutable": True,
        "data": {JOB_FILE: text},
    }


def file_name(job: VideoJob, installation: Installation) -> str:
    """Of the ConfigMap that `config_map` makes."""
    return str(config_map(job, installation)["metadata"]["name"])


def plan_job(job: VideoJob, job_desired: PlannerDesired, installation: Installation, file: str = "") -> dict[str, Any]:
    """The Job whose one pod probes the videos; `file` names its ConfigMap, "" for what `config_map` makes now."""
    arguments = ["worker", "plan", f"--job={JOB_FOLDER}/{JOB_FILE}", f"--attempt={job_desired.attempt}"]
    pod = job_pod(file or file_name(job, installation), arguments, installation, has_ring=False)
    spec = {
        "suspend": job_desired.suspended,
        "backoffLimit": job.spec.backoff_limit,
        "activeDeadlineSeconds": _deadline_s(job, _PLAN_BACKSTOP_S),
        "podFailurePolicy": {"rules": [_HOPELESS, _STOPPED, _DISRUPTED]},
        "podReplacementPolicy": "Failed",
        "template": _template(job, "planner", pod, installation, ()),
    }
    return _job(job, f"plan-{job_desired.attempt}", "planner", job_desired.attempt, spec)


def work_job(job: VideoJob, job_desired: WorkersDesired, installation: Installation, file: str = "") -> dict[str, Any]:
    """The Indexed Job whose pods run the segments; `file` names the ConfigMap that they were planned from."""
    arguments = [
        "worker",
        "run",
        f"--job={JOB_FOLDER}/{JOB_FILE}",
        f"--plan-attempt={job_desired.plan_attempt}",
        f"--epoch={job_desired.epoch}",
        f"--batch={job_desired.batch}",
        f"--server={server_address(job_desired.server, installation)}",
        f"--model-version={job_desired.server.version}",
        f"--workers={job_desired.parallelism}",
        f"--grace={installation.worker.grace_s}",
        # Beside the file's, which stays as it was when the job began: whoever resumes a job may raise it.
        f"--backoff-limit={job.spec.backoff_limit}",
    ]
    queue = job.metadata.labels.get(QUEUE_LABEL)
    if queue is not None:
        # Kueue lets workers go when it admits them, and only then the server is asked for: they have to wait for it.
        variant = installation.models[job_desired.server.model].variants[job_desired.server.accelerator]
        arguments.append(f"--patience={max(SERVER_PATIENCE_S, variant.start_s + _NODE_S)}")
    pod = job_pod(file or file_name(job, installation), arguments, installation, has_ring=True)
    pod["containers"][0]["env"].append(_FAILURES)
    # Types that the job names are the server's hardware: workers go there too where that is CPUs, and else to cheaper
    # nodes. Types that a choice by price bound the server to are no demand of the job.
    types = (job.spec.compute.instance_types or ()) if job_desired.server.accelerator == "cpu" else ()
    template = _template(job, "worker", pod, installation, types)
    template["spec"] = near(template["spec"], server_selector(job_desired.server), installation.server_namespace)
    spec = {
        # None leaves it to Kueue, which wants to find it held.
        "suspend": job_desired.suspended is not False,
        "completionMode": "Indexed",
        "completions": job_desired.completions,
        "parallelism": job_desired.parallelism,
        "backoffLimitPerIndex": job.spec.backoff_limit,
        # What concerns one video is stored, and its index ends well. An index that fails for good has met what all
        # others would meet: what they would still do costs money for nothing.
        "maxFailedIndexes": 0,
        "activeDeadlineSeconds": _deadline_s(job, job_desired.backstop_s),
        "podFailurePolicy": {"rules": [_HOPELESS, _EXHAUSTED, _STOPPED, _DISRUPTED]},
        "podReplacementPolicy": "Failed",
        "template": template,
    }
    made = _job(job, f"work-{job_desired.attempt}", "worker", job_desired.attempt, spec)
    made["metadata"]["annotations"] = {
        EPOCH: str(job_desired.epoch),
        BATCH: str(job_desired.batch),
        SERVER_KEY: server_key_text(job_desired.server),
    }
    if job_desired.why:
        made["metadata"]["annotations"][PLACEMENT_REASON] = job_desired.why
    if job_desired.replica_frames_per_s is not None:
        made["metadata"]["annotations"][REPLICA_SPEED] = str(job_desired.replica_frames_per_s)
    if queue is not None:
        made["metadata"]["labels"][QUEUE_LABEL] = queue
    return made


_FAILURES = {
    "name": FAILURES_VARIABLE,
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-index-failure-count']"}},
}
"""How many pods of the index have failed before: the last one that it may have gives up what it cannot do."""


def _exit_rule(action: str, code: Ending) -> dict[str, Any]:
    return {"action": action, "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [int(code)]}}


_HOPELESS = _exit_rule("FailJob", Ending.HOPELESS)
_EXHAUSTED = _exit_rule("FailIndex", Ending.EXHAUSTED)
_STOPPED = _exit_rule("Ignore", Ending.STOPPED)
_DISRUPTED = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def _deadline_s(job: VideoJob, backstop_s: int) -> int:
    """A little behind the controller's own: it is the one that tells the user. Without one what no work takes:
    pods that nobody ends cost money, also where the controller is gone.
    """
    limit_s = job.spec.active_deadline_seconds
    return backstop_s if limit_s is None else limit_s + 300


def _template(
    job: VideoJob, component: str, pod: dict[str, Any], installation: Installation, instance_types: Sequence[str]
) -> dict[str, Any]:
    worker = installation.worker
    placed = with_place(
        pod,
        installation,
        worker.node_selector,
        worker.tolerations,
        capacity_types=job.spec.compute.capacity_types or (),
        instance_types=instance_types,
    )
    if job.spec.priority_class_name is not None:
        placed["priorityClassName"] = job.spec.priority_class_name
    # No karpenter.sh/do-not-disrupt: Karpenter would not evict the pod on a spot notice either, and the grace period
    # would go unused. NodePools with WhenEmpty, as the chart's, leave a node that works alone.
    return {"metadata": {"labels": job_labels(job.metadata, component)}, "spec": placed}


def _job(job: VideoJob, part: str, component: str, attempt: int, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _metadata(job, part, component)
    metadata["labels"][ATTEMPT] = str(attempt)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _metadata(job: VideoJob, part: str, component: str) -> dict[str, Any]:
    return {
        "name": child_name(job.metadata, part),
        "namespace": job.metadata.namespace,
        "labels": job_labels(job.metadata, component),
        "ownerReferences": [owner_reference(job.metadata)],
    }
