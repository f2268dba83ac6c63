"""Builders for decisions about VideoJobs on a cluster: an installation, jobs, and what may be seen of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.kube.render.status import status_of, timestamp
from videojob.planning.installation import (
    AcceleratorSettings,
    Installation,
    InstalledModel,
    PvcSource,
    ResultsSettings,
    ServerVariant,
    WorkerSettings,
)
from videojob.planning.lifecycle import decide as lifecycle
from videojob.planning.lifecycle.decide import snapshot_of
from videojob.planning.lifecycle.pods import PodsLifecycle
from videojob.planning.lifecycle.stored import stored_job
from videojob.planning.placement.pinned import placed
from videojob.planning.state.desired import Desired
from videojob.planning.state.observed import Observed, PodProblem, ResultsObserved, ServerObserved
from videojob.planning.state.pods import JobObserved, PlannerDesired, PodsDesired, PodsObserved, WorkersDesired
from videojob.video.plan import PlanHead

NOW_S = 1_800_000_000.0
UID = "0a1b2c3d-0000-4000-8000-000000000001"
DIGEST = "sha256:" + "a" * 64

CPU = ServerVariant("cpu", "onnxruntime", Fraction(20), "2", "2Gi", start_s=30, max_replicas=4)
GPU = ServerVariant("gpu", "tensorrt", Fraction(900), "3", "8Gi", gpus=1, start_s=240, max_replicas=8)


def a_catalogue(**changes: Any) -> Installation:
    """An installation with one face detector on CPUs and GPUs."""
    model = InstalledModel("face_detector", 1, DIGEST, PvcSource("models", "face_detector"), {"cpu": CPU, "gpu": GPU})
    values: dict[str, Any] = {
        "image": "registry.example/videojob@sha256:" + "b" * 64,
        "server_namespace": "videojob-system",
        "results": ResultsSettings("videojob-results", ("team-results",), "eu-central-1"),
        "accelerators": {
            "cpu": AcceleratorSettings("registry.example/triton-cpu:1", 60),
            "gpu": AcceleratorSettings("registry.example/triton:1", 120),
        },
        "models": {"face_detector": model},
        "worker": WorkerSettings(env={"AWS_REGION": "eu-central-1"}),
        "karpenter": "karpenter",
    }
    return Installation(**values | changes)


def a_job(
    spec: Mapping[str, Any] | None = None,
    *,
    status: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    name: str = "entrance",
    **metadata: Any,
) -> VideoJob:
    """A VideoJob as a cluster stores it; `spec` is laid over one with a single video."""
    base = {"inputs": [{"s3": {"bucket": "clips", "key": "a.mp4"}}], "model": {"name": "face_detector"}}
    own = {"name": name, "namespace": "team", "uid": UID, "generation": 1, "labels": dict(labels or {})}
    values: dict[str, Any] = {"metadata": own | metadata, "spec": base | dict(spec or {})}
    if status is not None:
        values["status"] = dict(status)
    return VideoJob.from_manifest(values)


def a_head(**changes: Any) -> PlanHead:
    """A plan of 10 segments with 3,000 frames."""
    values: dict[str, Any] = {
        "attempt": 1,
        "plan_id": "p1",
        "plan_digest": "d" * 64,
        "videos": 1,
        "failed": 0,
        "segments": 10,
        "frames": 3000,
        "duration_ms": 300_000,
    }
    return PlanHead(**values | changes)


def a_plan_job(attempt: int = 1, **changes: Any) -> JobObserved:
    """A planner's Job."""
    name = f"entrance-plan-{attempt}"
    values: dict[str, Any] = {"name": name, "kind": "plan", "attempt": attempt, "suspended": False}
    return JobObserved(**values | changes)


def a_work_job(attempt: int = 1, **changes: Any) -> JobObserved:
    """The workers' Job, at work since ten seconds."""
    values: dict[str, Any] = {
        "name": f"entrance-work-{attempt}",
        "kind": "work",
        "attempt": attempt,
        "suspended": False,
        "active": 1,
        "ready": 1,
        "completions": 10,
        "epoch": 1,
        "batch": 1,
        "started_s": NOW_S - 10,
    }
    return JobObserved(**values | changes)


def results(committed: int = 0, **changes: Any) -> ResultsObserved:
    """The table of a run whose first segments are stored."""
    values: dict[str, Any] = {"epoch": 1, "committed": frozenset(range(committed))}
    return ResultsObserved(**values | changes)


def observed_jobs(jobs: Iterable[JobObserved] = (), **changes: Any) -> Observed:
    """What was observed of a job that runs in pods, with its Jobs in any order."""
    return Observed(PodsObserved.from_jobs(jobs), **changes)


def running(*jobs: JobObserved, server: ServerObserved | None = None, **changes: Any) -> Observed:
    """A job that has its plan and epoch."""
    values: dict[str, Any] = {"head": a_head(), "results": results(), "server": server}
    return observed_jobs(jobs, **values | changes)


def problem(kind: str, message: str = "words", *, age_s: float = 20.0, **changes: Any) -> PodProblem:
    """Pods that do not run, since some seconds."""
    values: dict[str, Any] = {"kind": kind, "message": message, "since_s": NOW_S - age_s}
    return PodProblem(**values | changes)


@dataclass(frozen=True, slots=True)
class PodsDecision(Desired):
    """A decision about a job that runs in pods."""

    @property
    def pods(self) -> PodsDesired:
        """What should be done about its Jobs."""
        return self.backend if isinstance(self.backend, PodsDesired) else PodsDesired()

    @property
    def plan_job(self) -> PlannerDesired | None:
        return self.pods.planner

    @property
    def work_job(self) -> WorkersDesired | None:
        return self.pods.workers

    @property
    def remove_jobs(self) -> tuple[str, ...]:
        return self.pods.remove


def decide(job: VideoJob, observed: Observed, installation: Installation, now_s: float) -> PodsDecision:
    """The decision, with the job placed as the controller does it first."""
    of_job = stored_job(job, installation)
    snapshot = snapshot_of(of_job, placed(of_job, observed, installation), installation, now_s)
    desired = lifecycle.decide(snapshot, PodsLifecycle())
    return PodsDecision(**{one.name: getattr(desired, one.name) for one in fields(Desired)})


def stored(
    job: VideoJob, observed: Observed, installation: Installation, now_s: float
) -> tuple[VideoJob, PodsDecision]:
    """One reconcile: the decision, and the job with the status that it leads to."""
    desired = decide(job, observed, installation, now_s)
    status = status_of(
        job,
        desired,
        observed,
        installation=installation,
        table="videojob-results",
        summary_key="team.1 SUMMARY#000001",
        now_s=now_s,
    )
    values = job.as_manifest() | {"status": status}
    return VideoJob.from_manifest(values), desired


def condition(desired: Desired, kind: str) -> tuple[str, str]:
    """(status, reason) of a wanted condition."""
    found = next(one for one in desired.conditions if one.type == kind)
    return found.status, found.reason


INSTALLATION = a_catalogue()
READY = ServerObserved(1, 1, instance_type="g6.xlarge", capacity_type="spot", zone="eu-central-1a", placed=1)
ERROR = {
    "reason": "InputNotFound",
    "message": "there is no such object",
    "uri": "s3://clips/a.mp4",
    "hint": "Check the key.",
}


def a_status(
    reason: str = "Processing", *, began_s: float = 100.0, since_s: float = 100.0, **kinds: str
) -> dict[str, Any]:
    """A stored status of a job that began some seconds ago; conditions as `Suspended="False"`."""
    conditions = {"Succeeded": "Unknown"} | kinds
    return {
        "startTime": timestamp(NOW_S - began_s),
        "epoch": 1,
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": "",
                "lastTransitionTime": timestamp(NOW_S - since_s),
            }
            for kind, status in conditions.items()
        ],
    }


def ended_status(reason: str = "Completed", ago_s: float = 10.0) -> dict[str, Any]:
    """The stored status of a job that ended some seconds ago."""
    status = a_status(reason, Succeeded="True" if reason == "Completed" else "False")
    return status | {"completionTime": timestamp(NOW_S - ago_s), "message": "it is over"}


def look(observed: Observed, spec: dict[str, Any] | None = None, **job: Any) -> PodsDecision:
    """One decision; further arguments are those of `a_job`."""
    return decide(a_job(spec, **job), observed, INSTALLATION, NOW_S)
