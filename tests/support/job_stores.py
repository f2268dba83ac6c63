"""A job store in memory, for tests of who uses it; tests/contract/test_job_store.py pins what it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from videojob.errors import VideoJobError
from videojob.ports.results import CommitOutcome, FailOutcome
from videojob.results.aggregate.document import Document, mapping
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict, WriteUsage
from videojob.results.stored.codec import canonical_document, canonical_pieces, parse
from videojob.video.plan import ModelFacts, PlanHead, PlannedVideo, SegmentDoubt, SegmentFailure, may_be_forgiven


@dataclass
class FakeJobStore:
    """One job's part of the table. `problem` may raise before each call, by its name."""

    head: PlanHead | None = None
    videos: list[PlannedVideo] = field(default_factory=list)
    stored: dict[int, SegmentCommit] = field(default_factory=dict)
    failed: dict[int, SegmentFailure] = field(default_factory=dict)
    noted: dict[tuple[int, str], SegmentDoubt] = field(default_factory=dict)
    refused: dict[int, SegmentConflict] = field(default_factory=dict)
    facts: ModelFacts | None = None
    summaries: dict[int, bytes] = field(default_factory=dict)
    problem: Callable[[str], VideoJobError | None] = lambda _name: None

    def _called(self, name: str) -> None:
        error = self.problem(name)
        if error is not None:
            raise error

    def begin(self, run: RunRecord) -> RunRecord:
        raise AssertionError("only the controller begins runs")

    def commit(self, run: RunRecord, commit: SegmentCommit) -> CommitOutcome:
        self._called("commit")
        segment = commit.result.segment
        kept = self.stored.setdefault(segment, commit)
        if kept.digest != commit.digest:
            self.refused.setdefault(segment, SegmentConflict(segment, kept.digest, commit.digest))
            return CommitOutcome.OTHER_KEPT
        return CommitOutcome.STORED if kept is commit else CommitOutcome.ALREADY_STORED

    def conflicts(self, run: RunRecord) -> tuple[SegmentConflict, ...]:
        return tuple(self.refused[segment] for segment in sorted(self.refused))

    def committed(self, run: RunRecord) -> frozenset[int]:
        self._called("committed")
        return frozenset(self.stored)

    def commits(self, run: RunRecord) -> Iterator[SegmentCommit]:
        return iter([self.stored[index] for index in sorted(self.stored)])

    def finalise(self, run: RunRecord, summary: bytes | Mapping[str, Document], notification: str | None) -> bool:
        self._called("finalise")
        is_new = run.epoch not in self.summaries
        self.summaries.setdefault(run.epoch, b"".join(canonical_pieces(canonical_document(summary))))
        return is_new

    def finished(self, run: RunRecord) -> bytes | None:
        return self.summaries.get(run.epoch)

    def summary(self, uid: str) -> bytes | None:
        return next(reversed(self.summaries.values()), None)

    def finished_run(self, uid: str) -> RunRecord | None:
        raise AssertionError("not asked by pods")

    def newest(self, uid: str) -> RunRecord | None:
        return None

    def runs(self) -> Sequence[RunRecord]:
        raise AssertionError("not asked by pods")

    def delete(self, uid: str) -> int:
        raise AssertionError("nobody here deletes results")

    def usage(self) -> WriteUsage:
        return WriteUsage()

    def close(self) -> None:
        pass

    def save_plan(self, uid: str, head: PlanHead, videos: Sequence[PlannedVideo]) -> PlanHead:
        self._called("save_plan")
        if self.head is None:
            self.head, self.videos = head, list(videos)
        return self.head

    def plan_head(self, uid: str, attempt: int) -> PlanHead | None:
        self._called("plan_head")
        return self.head if self.head is not None and self.head.attempt == attempt else None

    def planned_videos(self, uid: str, plan_id: str) -> Iterator[PlannedVideo]:
        return iter(self.videos)

    def videos_of_segments(self, uid: str, head: PlanHead, first: int, count: int) -> Iterator[PlannedVideo]:
        wanted = range(first, first + count)
        return (video for video in self.videos if any(segment.index in wanted for segment in video.segments))

    def committed_between(self, run: RunRecord, first: int, count: int) -> frozenset[int]:
        return frozenset(index for index in self.stored if first <= index < first + count)

    def fail(self, run: RunRecord, failure: SegmentFailure) -> FailOutcome:
        self._called("fail")
        if failure.segment in self.stored:
            return FailOutcome.COMMITTED
        is_new = failure.segment not in self.failed
        self.failed.setdefault(failure.segment, failure)
        return FailOutcome.STORED if is_new else FailOutcome.ALREADY_STORED

    def doubt(self, run: RunRecord, doubt: SegmentDoubt) -> SegmentDoubt:
        self._called("doubt")
        return self.noted.setdefault((doubt.segment, doubt.reason), doubt)

    def doubts(self, run: RunRecord, segment: int) -> tuple[SegmentDoubt, ...]:
        self._called("doubts")
        return tuple(one for (at, _), one in sorted(self.noted.items()) if at == segment)

    def failures(self, run: RunRecord) -> tuple[SegmentFailure, ...]:
        self._called("failures")
        return tuple(self.failed[segment] for segment in sorted(self.failed))

    def failures_between(self, run: RunRecord, first: int, count: int) -> tuple[SegmentFailure, ...]:
        self._called("failures_between")
        return tuple(self.failed[segment] for segment in sorted(self.failed) if first <= segment < first + count)

    def forgive(self, run: RunRecord) -> None:
        self._called("forgive")
        self.failed = {at: one for at, one in self.failed.items() if not may_be_forgiven(one)}
        self.noted.clear()

    def finished_facts(self, run: RunRecord) -> Mapping[str, Document] | None:
        stored = self.summaries.get(run.epoch)
        return None if stored is None else mapping(parse(stored))

    def describe_model(self, run: RunRecord, model: ModelFacts) -> ModelFacts:
        self._called("describe_model")
        self.facts = self.facts or model
        return self.facts

    def model(self, run: RunRecord) -> ModelFacts | None:
        return self.facts
