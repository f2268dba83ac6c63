"""Completion: names of VideoJobs for shells, and the program that kubectl asks on behalf of its plugin."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from videojob.cli.app import app
from videojob.cli.cluster.connection import Access, connected
from videojob.cli.program import COMPLETE_VARIABLE
from videojob.errors import VideoJobError
from videojob.kube.kinds import VIDEOJOBS

_NO_FILES = ":4"
"""kubectl's word for: these are all, no names of files."""


def job_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names of VideoJobs that begin so, on the cluster and in the namespace of the options so far; none on a fault."""
    given = context.params
    access = Access(given.get("namespace"), given.get("kubeconfig"), given.get("context"))
    try:
        with connected(access) as there:
            names = [str(job["metadata"]["name"]) for job in there.api.list(VIDEOJOBS, there.namespace)]
    except VideoJobError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


JobArgument = Annotated[
    str, typer.Argument(help="Name of the VideoJob on the cluster.", metavar="NAME", autocompletion=job_names)
]


def environment_of(words: Sequence[str]) -> Mapping[str, str]:
    """What a shell would set to have these words completed, the last of which is not finished."""
    return {
        COMPLETE_VARIABLE: "complete_bash",
        "COMP_WORDS": shlex.join(["videojob", *words]),
        "COMP_CWORD": str(len(words)),
    }


def main() -> None:
    """Entry point `kubectl_complete-videojob`: kubectl gives the words behind `kubectl videojob`, and wants lines."""
    os.environ |= environment_of(sys.argv[1:])
    try:
        app(prog_name="videojob", complete_var=COMPLETE_VARIABLE)
    except SystemExit:
        sys.stdout.write(f"{_NO_FILES}\n")
