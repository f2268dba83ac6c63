"""Inference on a model of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.ports.decoding import FrameRing
from videojob.vision.tensors import ModelContract


@dataclass(frozen=True, slots=True)
class InferenceReply:
    """The answer to one request.

    Attributes:
        request_id: of the request it answers (checked against what the server returned).
        outputs: by name, each (frames, ...); views on the reply's buffer.
        retries: how often it was sent again.
    """

    request_id: int
    outputs: dict[str, NDArray[np.generic]]
    retries: int


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """Counters of one model on one server, cumulative; take differences.

    Attributes:
        inferences: frames answered. executions: batches run (inferences / executions = mean batch).
        queue_s, compute_input_s, compute_infer_s, compute_output_s: summed over requests; a batch's time counts once
            for each of its requests.
        requests: answered without error; 0 when the server does not say.
        execution_s: seconds of the model, each batch counted once.
        frames_squared: each batch's frames squared, summed. frame_execution_s: each batch's frames times its seconds,
            summed. Of a time that is linear in a batch's frames, these tell the line.
    """

    inferences: int = 0
    executions: int = 0
    queue_s: float = 0.0
    compute_input_s: float = 0.0
    compute_infer_s: float = 0.0
    compute_output_s: float = 0.0
    requests: int = 0
    execution_s: float = 0.0
    frames_squared: int = 0
    frame_execution_s: float = 0.0


class Inference(Protocol):
    """One process's connection to a model on a server. Not shared between threads."""

    @property
    def contract(self) -> ModelContract:
        """The model, as the server describes it."""
        ...

    @property
    def transport(self) -> str:
        """How pixels reach the server: "grpc" or "shared-memory"."""
        ...

    def attach(self, ring: FrameRing) -> None:
        """Tells which ring the frames lie in; an implementation on the server's host maps it there."""
        ...

    def submit(self, request_id: int, frames: NDArray[np.generic], first_slot: int | None) -> None:
        """Sends frames (n, ...) and returns at once.

        Args:
            request_id: unique among the open requests of this connection.
            frames: what the model takes, ready; must stay unchanged until its reply.
            first_slot: where `frames` lies in the attached ring; None when it does not.
        """
        ...

    def collect(self, timeout_s: float) -> InferenceReply | None:
        """The next reply, in any order; None when none came in time.

        Every submit ends in exactly one reply or one raised ServerError or ModelError, retries included.
        """
        ...

    def abandon(self) -> None:
        """Forgets every open request; their replies and errors are never seen again."""
        ...

    def statistics(self, timeout_s: float | None = None) -> ServerStatistics:
        """The server's counters for this model.

        Args:
            timeout_s: one try of this length; None is as patient as every other call.
        """
        ...

    def close(self) -> None:
        """Drops open requests and the connection."""
        ...
