"""`videojob suspend NAME` and `videojob resume NAME`: set or clear spec.suspend. Both are idempotent.

A job that failed goes on too, with what it has committed; then each call counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from videojob.cli.cluster.completion import JobArgument
from videojob.cli.cluster.connection import (
    Access,
    command_line,
    connected,
    find_job,
)
from videojob.cli.display import plural
from videojob.cli.options import with_options
from videojob.cli.terminal import console, tell, write_json
from videojob.errors import SetupError, UsageError
from videojob.kube.kinds import VIDEOJOBS
from videojob.kube.read.job_state import JobState, job_state
from videojob.ports.cluster import Cluster
from videojob.reasons import Phase

_ENDED_HINT = "Its summary is final. For inputs that failed, create a VideoJob with them alone."
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]


@with_options
def suspend(
    name: JobArgument,
    *,
    access: Access,
    as_json: JsonOption = False,
) -> None:
    """Suspend a VideoJob on the cluster: its pods terminate, finished segments are kept."""
    _set(access, name, held=True, as_json=as_json)


@with_options
def resume(
    name: JobArgument,
    *,
    access: Access,
    active_deadline: Annotated[
        int | None,
        typer.Option("--active-deadline-seconds", min=1, help="For a failed job: its new limit, counted from now."),
    ] = None,
    backoff_limit: Annotated[
        int | None, typer.Option("--backoff-limit", min=0, max=20, help="For a failed job: its new limit.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Resume a suspended or failed VideoJob on the cluster; finished segments are kept."""
    given = {"activeDeadlineSeconds": active_deadline, "backoffLimit": backoff_limit}
    changes = {field: value for field, value in given.items() if value is not None}
    with connected(access) as there:
        before = find_job(there.api, there.namespace, name)
        if before.phase is not Phase.FAILED:
            after = _resume(there.api, before, changes)
        else:
            after = resume_failed(there.api, before, changes)
    changed = before.resumes != after.resumes or before.suspend != after.suspend
    if as_json:
        write_json(hold_document(after, changed=changed))
    else:
        tell(console(), hold_text(after, access, changed=changed, failed=before.phase is Phase.FAILED))


def _resume(cluster: Cluster, job: JobState, changes: Mapping[str, Any]) -> JobState:
    if changes:
        raise UsageError(
            f"{job.namespace}/{job.name} has not failed: {', '.join(changes)} cannot change now",
            hint="Leave the option out.",
        )
    return hold(cluster, job, held=False)


def resume_failed(cluster: Cluster, job: JobState, changes: Mapping[str, Any]) -> JobState:
    """Raises spec.resumes of a job that failed, with what shall be otherwise; returns the job afterwards.

    Raises:
        UsageError: it is being deleted.
        SetupError: it was deleted just now, or the cluster's CRD is of a release that knew no resume.
        ClusterRefused: a limit contradicts the rest of the spec.
    """
    name = f"{job.namespace}/{job.name}"
    if job.deleting:
        raise UsageError(f"{name} is being deleted: it cannot be resumed", hint="")
    request = {"resumes": job.resumes + 1, "suspend": False, **changes}
    stored = cluster.patch(VIDEOJOBS, job.namespace, job.name, {"spec": request})
    if stored is None:
        raise SetupError(f"{name} was deleted just now", hint="")
    after = job_state(stored)
    if after.resumes == job.resumes:
        raise SetupError(
            f"the cluster does not know spec.resumes: {name} stays as it is",
            hint="Upgrade the chart's release and CRD.",
        )
    return after


def _set(access: Access, name: str, *, held: bool, as_json: bool) -> None:
    with connected(access) as there:
        before = find_job(there.api, there.namespace, name)
        after = hold(there.api, before, held=held)
    changed = before.suspend != held
    if as_json:
        write_json(hold_document(after, changed=changed))
    else:
        tell(console(), hold_text(after, access, changed=changed))


def hold(cluster: Cluster, job: JobState, *, held: bool) -> JobState:
    """Sets spec.suspend unless it is so already; returns the job afterwards.

    Raises:
        UsageError: the job has ended, or is being deleted.
        SetupError: it was deleted just now.
    """
    verb = "suspended" if held else "resumed"
    if job.has_ended:
        raise UsageError(
            f"{job.namespace}/{job.name} has ended ({job.reason}): it cannot be {verb}",
            hint=_ENDED_HINT if job.phase is Phase.SUCCEEDED else "`videojob resume` resumes it.",
        )
    if job.deleting:
        raise UsageError(f"{job.namespace}/{job.name} is being deleted: it cannot be {verb}", hint="")
    if job.suspend == held:
        return job
    stored = cluster.patch(VIDEOJOBS, job.namespace, job.name, {"spec": {"suspend": held}})
    if stored is None:
        raise SetupError(f"{job.namespace}/{job.name} was deleted just now", hint="")
    return job_state(stored)


def hold_text(job: JobState, access: Access, *, changed: bool, failed: bool = False) -> str:
    """What was done, and what comes of it; `failed` before."""
    name = f"{job.namespace}/{job.name}"
    if failed:
        watch = f"{command_line('watch', job, access)}  shows its progress"
        return f"{name} resumes{_kept_text(job)}.\n{watch}"
    if job.suspend and not changed:
        return f"{name} was suspended already{_kept_text(job)}."
    if job.suspend:
        what = f"its pods finish their segments within the grace period, then terminate{_kept_text(job)}"
        return f"{name} is suspended: {what}.\n{command_line('resume', job, access)}  resumes it"
    if not changed:
        return f"{name} was not suspended: {job.reason or 'not yet picked up by the controller'}."
    how = f"as soon as Kueue admits it to the queue {job.queue}" if job.queue else "where it stopped"
    return f"{name} resumes {how}.\n{command_line('watch', job, access)}  shows its progress"


def _kept_text(job: JobState) -> str:
    progress = job.progress
    if progress is None or not progress.segments_done:
        return ""
    total = progress.segments_total or progress.segments_done
    return f"; {progress.segments_done} of {total} {plural(total, 'segment')} are done and kept"


def hold_document(job: JobState, *, changed: bool) -> dict[str, Any]:
    """The same for a script. Fields are only ever added."""
    return {
        "job": {"name": job.name, "namespace": job.namespace, "uid": job.uid},
        "suspend": job.suspend,
        "resumes": job.resumes,
        "changed": changed,
        "reason": job.reason,
    }
