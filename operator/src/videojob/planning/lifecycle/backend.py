"""What a backend decides of a job's life: how its plan comes to be and how its segments are run. Pure.

The general part (`planning.lifecycle.decide`) begins, suspends, folds and ends jobs, whatever runs them. Each backend
has one module that implements this, and one in `controller.jobs` that applies what it decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from videojob.planning.lifecycle.progress import progress_of
from videojob.planning.state.backend import BackendDesired
from videojob.planning.state.desired import Desired, EventDesired, ProgressDesired, ServerDemand
from videojob.planning.state.observed import ResultsObserved
from videojob.planning.state.placement import Place
from videojob.planning.state.snapshot import Snapshot
from videojob.video.plan import PlanHead


@dataclass(frozen=True, slots=True)
class Run:
    """One reconcile of a job whose epoch has begun.

    Attributes:
        snapshot: of the job.
        where: its server.
        head: of its plan.
        results: from the table.
        segments_done: as the table says, or as the backend does where that is more: the commits of large jobs are read
            now and then.
        frames_left: an estimate.
    """

    snapshot: Snapshot
    where: Place
    head: PlanHead
    results: ResultsObserved
    segments_done: int
    frames_left: int

    def progress(self, working_since_s: float | None = None) -> ProgressDesired:
        """The figures for the status; `working_since_s` as `progress_of` takes it."""
        snapshot = self.snapshot
        return progress_of(
            self.head, self.segments_done, snapshot.last_status, working_since_s=working_since_s, now_s=snapshot.now_s
        )


class BackendLifecycle(Protocol):
    """The decisions of one backend. `Snapshot.observed.backend` is its own value, and so is `Desired.backend`."""

    def plan(self, snapshot: Snapshot) -> Desired:
        """What should be done about a job without a plan; of a suspended one nothing may run."""
        ...

    def segments(self, run: Run) -> Desired:
        """What should be done while segments are open; of a suspended job nothing may run."""
        ...

    def is_idle(self, run: Run) -> bool:
        """Whether everything that was begun on the segments is over: then the table says what is still open."""
        ...

    def folding(self, run: Run) -> BackendDesired | None:
        """What it should do while the commits are folded."""
        ...

    def stopped(self, snapshot: Snapshot) -> BackendDesired | None:
        """What ends all that would go on by itself; None when nothing would."""
        ...

    def demand(self, snapshot: Snapshot, where: Place) -> ServerDemand | None:
        """What its present work asks of the server while the results table is away."""
        ...

    def events(self, snapshot: Snapshot, desired: Desired) -> Iterable[EventDesired]:
        """What of its work is worth an Event of Kubernetes."""
        ...
