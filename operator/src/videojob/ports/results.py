"""Where results go: a sink for one process, a job store for all processes of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol

from videojob.results.aggregate.document import Document
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict, WriteUsage
from videojob.video.plan import ModelFacts, PlanHead, PlannedVideo, SegmentDoubt, SegmentFailure


class CommitOutcome(Enum):
    """What a conditional put came to."""

    STORED = "stored"
    ALREADY_STORED = "already stored"
    """The same digest was there: an acknowledgement was lost, or the segment ran twice."""
    OTHER_KEPT = "other kept"
    """Another digest was there: the first writer's result stays."""


class FailOutcome(Enum):
    """What storing a failure came to."""

    STORED = "stored"
    ALREADY_STORED = "already stored"
    """A failure of this segment was there, which stays."""
    COMMITTED = "committed"
    """The segment's result is there: another worker made it, and nothing was stored."""


class Sink(Protocol):
    """Where results go. Keys are deterministic, puts conditional; one suite in tests/contract pins both adapters.

    All methods raise SinkUnavailable when the store does not answer, retries included. What is read is checked against
    its digest: a commit, a summary or a video of a plan that does not have the stored one is a SinkError that names it.
    """

    def begin(self, run: RunRecord) -> RunRecord:
        """Registers a run: the same plan_digest returns the running epoch, another one starts the next epoch.

        The returned record has the keys that the epoch began with, which `run` may not.
        """
        ...

    def commit(self, run: RunRecord, commit: SegmentCommit) -> CommitOutcome:
        """Stores a segment's result once, and of a second, different one that there was one.

        Raises StaleEpoch when a newer epoch owns the job.
        """
        ...

    def conflicts(self, run: RunRecord) -> tuple[SegmentConflict, ...]:
        """The segments of the epoch for which `commit` found another result, ascending; a consistent read."""
        ...

    def finished(self, run: RunRecord) -> bytes | None:
        """The summary of this very epoch, byte for byte, when it was finalised; a consistent read."""
        ...

    def committed(self, run: RunRecord) -> frozenset[int]:
        """Indexes of the stored segments; a consistent read."""
        ...

    def commits(self, run: RunRecord) -> Iterator[SegmentCommit]:
        """All stored segments of the epoch by ascending index; a consistent read, paged."""
        ...

    def finalise(self, run: RunRecord, summary: bytes | Mapping[str, Document], notification: str | None) -> bool:
        """In one transaction: the summary if absent, the run's state if its epoch still owns it, the outbox entry.

        Args:
            run: as `begin` returned it.
            summary: canonical JSON, as `encode_summary` makes it, or the document that it is made
                of (`summary_document`), which takes less memory.
            notification: JSON message for the outbox, or None.

        Returns:
            True when this call stored it, False when the same summary was there already. Raises StaleEpoch.
        """
        ...

    def summary(self, uid: str) -> bytes | None:
        """The stored summary of the newest finished epoch, byte for byte; None when there is none."""
        ...

    def finished_run(self, uid: str) -> RunRecord | None:
        """The newest finished epoch, whose commits and summary belong together; None when there is none."""
        ...

    def newest(self, uid: str) -> RunRecord | None:
        """The epoch that owns the job, finished or not; None before the first one."""
        ...

    def runs(self) -> Sequence[RunRecord]:
        """Newest epoch of every job in the store, finished or not, by name; for the laptop's `results` and `report`."""
        ...

    def delete(self, uid: str) -> int:
        """Removes all that is stored of a job, its state last; returns how many items. Repeat a call that failed."""
        ...

    def usage(self) -> WriteUsage:
        """What this object consumed."""
        ...

    def close(self) -> None:
        """Ends connections; a second call does nothing."""
        ...


class JobStore(Sink, Protocol):
    """A sink that planner, workers and controller of one job share: beside results it keeps plans and failures."""

    def save_plan(self, uid: str, head: PlanHead, videos: Sequence[PlannedVideo]) -> PlanHead:
        """Stores a plan, its head last and only if the attempt has none; returns the head that stands."""
        ...

    def plan_head(self, uid: str, attempt: int) -> PlanHead | None:
        """The head of an attempt's plan; a consistent read."""
        ...

    def planned_videos(self, uid: str, plan_id: str) -> Iterator[PlannedVideo]:
        """Every input of a plan, by position."""
        ...

    def videos_of_segments(self, uid: str, head: PlanHead, first: int, count: int) -> Iterator[PlannedVideo]:
        """The videos of a plan that hold the segments `[first, first + count)`, by first segment."""
        ...

    def committed_between(self, run: RunRecord, first: int, count: int) -> frozenset[int]:
        """Which of the segments `[first, first + count)` are stored; a consistent read."""
        ...

    def fail(self, run: RunRecord, failure: SegmentFailure) -> FailOutcome:
        """Stores once that no retry cures a segment, in one step with the look whether it is committed.

        Raises StaleEpoch. A commit is taken after that as well: whoever reads failures lets a commit override that of
        its segment.
        """
        ...

    def doubt(self, run: RunRecord, doubt: SegmentDoubt) -> SegmentDoubt:
        """Notes once who met an error in a segment that may have been the machine's; returns the first one, who stays.

        A segment has one for each reason.
        """
        ...

    def doubts(self, run: RunRecord, segment: int) -> tuple[SegmentDoubt, ...]:
        """All that `doubt` noted of a segment; a consistent read."""
        ...

    def failures(self, run: RunRecord) -> tuple[SegmentFailure, ...]:
        """The stored failures of the epoch by ascending segment; a consistent read."""
        ...

    def failures_between(self, run: RunRecord, first: int, count: int) -> tuple[SegmentFailure, ...]:
        """The stored failures of the segments `[first, first + count)`, ascending; a consistent read of these alone."""
        ...

    def forgive(self, run: RunRecord) -> None:
        """Forgets the failures that may pass, and all doubts, so that those segments are open again."""
        ...

    def finished_facts(self, run: RunRecord) -> Mapping[str, Document] | None:
        """What `summary_codec.facts_of` takes of this epoch's summary, however large it is; None when there is
        none. Of very many failed inputs it may have the first ones only. A consistent read.
        """
        ...

    def describe_model(self, run: RunRecord, model: ModelFacts) -> ModelFacts:
        """Stores once what results say of the model; returns the first one, which stays. Raises StaleEpoch."""
        ...

    def model(self, run: RunRecord) -> ModelFacts | None:
        """What `describe_model` stored; None before the first worker has met the server."""
        ...
