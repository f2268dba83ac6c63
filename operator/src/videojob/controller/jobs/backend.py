"""What runs jobs, as their reconciler uses it. A backend is one module here and one in `planning.lifecycle`."""

from __future__ import annotations

from typing import Any, Protocol

from videojob.api.videojob import VideoJob
from videojob.planning.lifecycle.backend import BackendLifecycle
from videojob.planning.state.backend import BackendObserved


class Backend(Protocol):
    """Reads what a backend has of a job, and applies what was decided. Any thread may call it, each for another job."""

    @property
    def name(self) -> str:
        """As spec.compute.backend has it."""
        ...

    @property
    def lifecycle(self) -> BackendLifecycle:
        """Its decisions."""
        ...

    def observe(self, job: VideoJob, *, is_over: bool) -> BackendObserved:
        """What it has of a job; of one that is over only what might still run.

        Raises:
            ClusterError: that cannot be read now.
        """
        ...

    def apply(self, job: VideoJob, observed: Any, desired: Any) -> None:
        """Does what was decided; done again, it does nothing.

        Args:
            job: whose spec may not change any more.
            observed: what `observe` returned.
            desired: what its `lifecycle` decided from that.

        Raises:
            ClusterRefused: what it needs is rejected, and the job tells why.
            ClusterError: that cannot be done now.
        """
        ...
