"""The inference server of a run: one that runs already, or an embedded one that lives as long as the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from videojob.adapters.triton.channel import TritonOptions
from videojob.adapters.triton.client import connect
from videojob.adapters.triton.model_repository import find_model
from videojob.errors import VideoJobError
from videojob.local.models.paths import cache_folder
from videojob.local.models.ready import ensure_built
from videojob.local.run_types import RunOptions
from videojob.local.triton.server import EmbeddedTriton

_CHECK_S = 2.0


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


def repository_with(options: RunOptions, model: str) -> Path:
    """The repository that the embedded server is to serve, with the model in it; a built-in one is built first.

    Raises:
        ModelNotFound: it is not there.
        SetupError: it must be built, and a part for that is missing.
    """
    if options.model_repository is None:
        return ensure_built(model)
    find_model(options.model_repository, model)
    return options.model_repository


def check_model(options: RunOptions, model: str, version: str) -> None:
    """Tells what is wrong with the model for good, while no input is brought here and no server started.

    A server that does not answer within a moment is not waited for: it may come while the inputs do.

    Raises:
        ModelError, SetupError: the model is not there, or its configuration is not one that a worker can use.
        ServerError: what answers at the address cannot serve it.
    """
    if options.triton_url is None:
        find_model(repository_with(options, model), model).contract()
        return
    try:
        connect(options.triton_url, model, version, options=TritonOptions(connect_timeout_s=_CHECK_S)).close()
    except VideoJobError as error:
        if not error.retryable:
            raise


@contextlib.contextmanager
def serve(options: RunOptions, model: str, cpus: int) -> Iterator[RunningServer]:
    """The server that the options ask for, ready to answer.

    Args:
        options: whether and where a server runs already, else which repository to serve.
        model: its name.
        cpus: cores that an embedded server may use.

    Raises:
        SetupError: no embedded server for this platform.
        ServerError, ModelError: it does not come up, or not with this model.
    """
    if options.triton_url is not None:
        yield RunningServer(options.triton_url, f"Triton at {options.triton_url}")
        return
    repository = repository_with(options, model)
    log = options.output / "logs" / "triton.log"
    with EmbeddedTriton.start(repository, [model], cache_folder=cache_folder(), log_path=log, cpus=cpus) as triton:
        yield RunningServer(triton.grpc_address, "embedded Triton", triton.grpc_headers)
