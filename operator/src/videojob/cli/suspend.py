"""`videojob suspend NAME` and `videojob resume NAME`: hold a job and let it go on. Twice is as good as once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from videojob.cli.cluster import (
    Access,
    ContextOption,
    KubeconfigOption,
    KubeNamespaceOption,
    command_line,
    connected,
    find_job,
)
from videojob.cli.completion import JobArgument
from videojob.cli.display import plural
from videojob.cli.terminal import console, tell, write_json
from videojob.errors import SetupError, UsageError
from videojob.manifests.job_state import JobState, job_state
from videojob.manifests.kinds import VIDEOJOBS
from videojob.ports import Cluster

JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]


def suspend(
    name: JobArgument,
    *,
    namespace: KubeNamespaceOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a VideoJob on the cluster: its pods go, finished segments stay."""
    _set(Access(kubeconfig, context, namespace), name, held=True, as_json=as_json)


def resume(
    name: JobArgument,
    *,
    namespace: KubeNamespaceOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a held VideoJob on the cluster go on where it stopped."""
    _set(Access(kubeconfig, context, namespace), name, held=False, as_json=as_json)


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
            hint="To run it again, delete it and apply its manifest anew.",
        )
    if job.deleting:
        raise UsageError(f"{job.namespace}/{job.name} is being deleted: it cannot be {verb}", hint="")
    if job.suspend == held:
        return job
    stored = cluster.patch(VIDEOJOBS, job.namespace, job.name, {"spec": {"suspend": held}})
    if stored is None:
        raise SetupError(f"{job.namespace}/{job.name} was deleted just now", hint="")
    return job_state(stored)


def hold_text(job: JobState, access: Access, *, changed: bool) -> str:
    """What was done, and what comes of it."""
    name = f"{job.namespace}/{job.name}"
    if job.suspend and not changed:
        return f"{name} was suspended already{_kept_text(job)}."
    if job.suspend:
        what = f"its pods end their segments within their grace period and go{_kept_text(job)}"
        return f"{name} is suspended: {what}.\n{command_line('resume', job, access)}  lets it go on"
    if not changed:
        return f"{name} was not suspended: {job.reason or 'no controller has looked at it yet'}."
    how = f"as soon as Kueue admits it to the queue {job.queue}" if job.queue else "where it stopped"
    return f"{name} goes on {how}.\n{command_line('watch', job, access)}  shows how it gets on"


def _kept_text(job: JobState) -> str:
    progress = job.progress
    if progress is None or not progress.segments_done:
        return ""
    total = progress.segments_total or progress.segments_done
    return f"; {progress.segments_done} of {total} {plural(total, 'segment')} are done and stay"


def hold_document(job: JobState, *, changed: bool) -> dict[str, Any]:
    """The same for a script. Fields are only ever added."""
    return {
        "job": {"name": job.name, "namespace": job.namespace, "uid": job.uid},
        "suspend": job.suspend,
        "changed": changed,
        "reason": job.reason,
    }
