"""What commands about a cluster share: its options, the connection, and how a VideoJob on it is found."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from videojob.cli.program import is_plugin, program_name
from videojob.errors import ClusterRefused, SetupError
from videojob.kube.kinds import VIDEOJOBS
from videojob.kube.read.job_state import JobState, job_state
from videojob.ports.cluster import Cluster, Object
from videojob.reasons import Where, settle_on

if TYPE_CHECKING:
    from videojob.adapters.kubernetes.api import KubernetesApi

KubeconfigOption = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Kubeconfig file.", show_default="KUBECONFIG or ~/.kube/config")
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig.", show_default="its current one")
]
_JOBS_LISTED = 20


@dataclass(frozen=True, slots=True)
class Access:
    """Options of which cluster and namespace a command is about; None leaves it to the kubeconfig."""

    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Namespace of the VideoJob.", show_default="that of the context"),
    ] = None
    kubeconfig: KubeconfigOption = None
    context: ContextOption = None

    @property
    def flags(self) -> str:
        """The options that lead to the same cluster again, with a space before each."""
        given = (("--kubeconfig", self.kubeconfig), ("--context", self.context))
        return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given if value is not None)


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection, and the namespace that is meant."""

    api: KubernetesApi
    namespace: str


@contextmanager
def connected(access: Access, *, connections: int = 32) -> Iterator[Connected]:
    """The cluster, closed with the block; `connections` at once.

    Raises:
        SetupError: no cluster is set up on this machine, or the packages to talk to one are not installed.
    """
    try:
        from videojob.adapters.kubernetes.api import connect_cluster, context_namespace  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise SetupError(
            f"talking to a cluster needs the Python package {error.name}, which is not installed",
            hint="pip install 'videojob[cluster]'",
        ) from error
    settle_on(Where.CLUSTER)
    api = connect_cluster(access.kubeconfig, access.context, connections=connections)
    try:
        yield Connected(api, access.namespace or context_namespace(access.kubeconfig, access.context))
    finally:
        api.close()


def stored_job(cluster: Cluster, namespace: str, name: str) -> Object:
    """The VideoJob's object.

    Raises:
        SetupError: there is none; the hint names those there are.
    """
    found = cluster.get(VIDEOJOBS, namespace, name)
    if found is not None:
        return found
    try:
        jobs = list(islice(cluster.list(VIDEOJOBS, namespace), _JOBS_LISTED + 1))
    except ClusterRefused as error:
        raise SetupError(
            f"there is no VideoJob {name} in the namespace {namespace}, and none can be listed: {error.message}",
            hint=f"Is VideoJob installed on this cluster? `{program_name()} doctor` checks.",
        ) from error
    names = ", ".join(str(job["metadata"]["name"]) for job in jobs[:_JOBS_LISTED])
    more = " and more" if len(jobs) > _JOBS_LISTED else ""
    hint = f"There are: {names}{more}." if names else "The namespace has none: check --namespace and --context."
    raise SetupError(f"there is no VideoJob {name} in the namespace {namespace}", hint=hint)


def find_job(cluster: Cluster, namespace: str, name: str) -> JobState:
    """The same as values. Raises SetupError."""
    return job_state(stored_job(cluster, namespace, name))


def command_line(words: str, job: JobState, access: Access | None = None) -> str:
    """A command of this program about a job, for a person to type; on the same cluster as the last one."""
    local_too = words in {"results", "report"} and not is_plugin()
    flags = ("" if access is None else access.flags) or (" --cluster" if local_too else "")
    return f"{program_name()} {words} {job.name} -n {job.namespace}{flags}"
