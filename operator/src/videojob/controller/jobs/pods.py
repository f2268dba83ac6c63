"""Pods as a backend: reads a job's Kubernetes Jobs with their pods, and makes, adjusts and deletes those Jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.controller.jobs.backend import Backend
from videojob.controller.pods import holds_namespace, job_events, telling_pods
from videojob.errors import ClusterRefused
from videojob.kube.kinds import CONFIG_MAPS, JOBS, Kind
from videojob.kube.names import JOB_UID
from videojob.kube.read.objects import job_observed, needs_pods
from videojob.kube.render.jobs import config_map, plan_job, work_job
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.pods import PodsLifecycle
from videojob.planning.state.pods import JobObserved, PlannerDesired, PodsDesired, PodsObserved, WorkersDesired
from videojob.ports.cluster import AlreadyThere, Cluster


@dataclass(frozen=True, slots=True)
class Pods(Backend):
    """`Backend`."""

    cluster: Cluster
    installation: Installation
    lifecycle: PodsLifecycle = field(default_factory=PodsLifecycle)
    name: str = "kubernetes"

    def observe(self, job: VideoJob, *, is_over: bool) -> PodsObserved:
        namespace = job.metadata.namespace
        found, ends = [], False
        for one in self.cluster.list(JOBS, namespace, labels=f"{JOB_UID}={job.metadata.uid}"):
            if is_over or not needs_pods(one):
                found.append(job_observed(one))
                continue
            pods = telling_pods(self.cluster, namespace, one)
            found.append(job_observed(one, pods, job_events(self.cluster, namespace, one, pods)))
            ends = ends or holds_namespace(self.cluster, namespace, pods)
        return PodsObserved.from_jobs(found, namespace_ends=ends)

    def apply(self, job: VideoJob, observed: PodsObserved, desired: PodsDesired) -> None:
        for name in desired.remove:
            self.cluster.delete(JOBS, job.metadata.namespace, name)
        if desired.planner is not None:
            self._planner(job, desired.planner, observed)
        if desired.workers is not None:
            self._workers(job, desired.workers, observed)

    def _planner(self, job: VideoJob, desired: PlannerDesired, observed: PodsObserved) -> None:
        known = next((one for one in observed.plan if one.attempt == desired.attempt), None)
        if known is None:
            file = _planned_from(observed)
            if not file:
                self._create(job, CONFIG_MAPS, config_map(job, self.installation))
            self._create(job, JOBS, plan_job(job, desired, self.installation, file))
        elif known.suspended != desired.suspended:
            self._adjust(job, known, {"suspend": desired.suspended})

    def _workers(self, job: VideoJob, desired: WorkersDesired, observed: PodsObserved) -> None:
        known = next((one for one in observed.work if one.attempt == desired.attempt), None)
        if known is None:
            file = _planned_from(observed) or next((one.file for one in observed.jobs), "")
            if not file:  # made before the first Job
                self._create(job, CONFIG_MAPS, config_map(job, self.installation))
            self._create(job, JOBS, work_job(job, desired, self.installation, file))
            return
        changes: dict[str, Any] = {}
        if desired.suspended is not None and known.suspended != desired.suspended:
            changes["suspend"] = desired.suspended
        if desired.parallelism != known.parallelism:
            changes["parallelism"] = desired.parallelism  # the decision weighs what it costs to stop some
        if changes:
            self._adjust(job, known, changes)

    def _adjust(self, job: VideoJob, known: JobObserved, changes: dict[str, Any]) -> None:
        self.cluster.patch(JOBS, job.metadata.namespace, known.name, {"spec": changes})

    def _create(self, job: VideoJob, kind: Kind, made: dict[str, Any]) -> None:
        """Makes a child; one that is there is this job's own, or an error: nothing is ever adopted.

        But for a ConfigMap: to see whose it is would take the right to read all ConfigMaps. Its name is made from the
        job's uid and its content, and whoever can make one in the namespace can run pods as the workers there.
        """
        try:
            self.cluster.create(kind, made)
        except AlreadyThere as error:
            if kind == CONFIG_MAPS:
                return
            there = self.cluster.get(kind, job.metadata.namespace, made["metadata"]["name"])
            owners = () if there is None else there["metadata"].get("ownerReferences", ())
            if not any(owner["uid"] == job.metadata.uid for owner in owners):
                words = f"{made['kind']} {made['metadata']['name']} already exists and has another owner"
                raise ClusterRefused(words, hint="Delete or rename it.", retryable=True) from error


def _planned_from(observed: PodsObserved) -> str:
    """Name of the ConfigMap that the newest plan is made from; "" when none is to be relied on."""
    return next((one.file for one in reversed(observed.plan) if not one.unlocked), "")
