"""The inference server of a run: one that runs already, or an embedded one that lives as long as the run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from videojob.adapters.triton_channel import TritonOptions
from videojob.local.models.paths import cache_folder, ensure_built
from videojob.local.triton.server import EmbeddedTriton
from videojob.local.values import RunOptions


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where the model is served.

    Attributes:
        address: host:port of gRPC. description: for the report.
        headers: metadata of calls that the embedded server answers only to its owner.
    """

    address: str
    description: str
    headers: tuple[tuple[str, str], ...] = ()

    def options(self) -> TritonOptions:
        """How to talk to it."""
        return TritonOptions(headers=self.headers)


@contextlib.contextmanager
def serve(options: RunOptions, model: str) -> Iterator[RunningServer]:
    """The server that the options ask for, ready to answer.

    Raises:
        SetupError: no embedded server for this platform.
        ServerError, ModelError: it does not come up, or not with this model.
    """
    if options.triton_url is not None:
        yield RunningServer(options.triton_url, f"Triton at {options.triton_url}")
        return
    repository = ensure_built(model) if options.model_repository is None else options.model_repository
    log = options.output / "logs" / "triton.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with EmbeddedTriton.start(
        repository, [model], cache_folder=cache_folder(), log_path=log, cpus=usable_cpus()
    ) as triton:
        yield RunningServer(triton.grpc_address, "embedded Triton", triton.grpc_headers)


def usable_cpus() -> int:
    """Cores that this process may use: the cgroup's or the mask's, not the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
