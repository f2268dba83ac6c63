"""What the shells need of the world, as narrow Protocols. Adapters implement them; fakes stand at these only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.kube.kinds import Kind
from videojob.kube.read.log_sources import LogQuery
from videojob.media.values import DecodeReport, DecodeRequest, Frame, PagedSource
from videojob.results.aggregate.document import Document
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict, WriteUsage
from videojob.video.plan import ModelFacts, PlanHead, PlannedVideo, SegmentDoubt, SegmentFailure
from videojob.vision.tensors import ModelContract


class Clock(Protocol):
    """Time. Decisions never read it; shells do, through this."""

    def now_s(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        ...


class FrameRing(Protocol):
    """Frame slots in memory that the decoder process writes and, where it can, the server reads.

    A ring is a plain file (in memory where the platform has such a place), so nobody copies a frame to pass it on.
    """

    @property
    def path(self) -> Path:
        """The file behind the ring, for a server on the same host to map."""
        ...

    @property
    def slots(self) -> int:
        """How many frames it holds."""
        ...

    @property
    def slot_bytes(self) -> int:
        """Bytes from one slot's start to the next one's."""
        ...

    def view(self, first_slot: int, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """(count, height, width, channels) view on neighbouring slots, no copy; `shape` must fill `slot_bytes`."""
        ...


class SegmentFrames(Protocol):
    """The selected frames of one segment, as they are decoded."""

    def __iter__(self) -> Iterator[Frame]:
        """Frames in presentation order; blocks until one is there. Raises InputError subclasses."""
        ...

    def release(self, slot: int) -> None:
        """Gives a slot back; the decoder waits when none is free."""
        ...

    def report(self) -> DecodeReport:
        """After the last frame: what the decoding came to."""
        ...


class Decoder(Protocol):
    """A decoder process for many segments, one at a time. Restarted by itself after a crash."""

    def open(self, request: DecodeRequest, ring: FrameRing) -> SegmentFrames:
        """Starts decoding a segment into the ring, slots 0, 1, 2, … and round; what was open before is dropped."""
        ...

    def close(self) -> None:
        """Ends the process."""
        ...


@dataclass(frozen=True, slots=True)
class InferenceReply:
    """The answer to one request.

    Attributes:
        request_id: of the request it answers (checked against what the server returned).
        outputs: by name, each (frames, ...); views on the reply's buffer.
        latency_s: from submit to reply.
        retries: how often it was sent again.
    """

    request_id: int
    outputs: dict[str, NDArray[np.generic]]
    latency_s: float
    retries: int


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """Counters of one model on one server, cumulative; take differences.

    Attributes:
        inferences: frames answered. executions: batches run (inferences / executions = mean batch).
        queue_s, compute_input_s, compute_infer_s, compute_output_s: summed over requests; a batch's time counts once
            for each of its requests.
        requests: answered without error; 0 when the server does not say.
    """

    inferences: int
    executions: int
    queue_s: float
    compute_input_s: float
    compute_infer_s: float
    compute_output_s: float
    requests: int = 0


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


@dataclass(frozen=True, slots=True)
class Paging:
    """How a video is brought here block by block.

    Attributes:
        disk_bytes: most that its blocks take here; two blocks at least.
        block_bytes: least that is fetched: larger wastes more where little is read, smaller is asked for more often.
        ahead_bytes: most that is fetched before it is asked for.
        readers: requests side by side.
        request_bytes: most of one request: neighbouring blocks that are wanted come together.
    """

    disk_bytes: int
    block_bytes: int = 256 << 10
    ahead_bytes: int = 32 << 20
    readers: int = 4
    request_bytes: int = 4 << 20


class InputFetcher(Protocol):
    """Brings one kind of input to a local regular file."""

    def fetch(self, uri: str, version: str | None, folder: Path) -> FetchedInput:
        """Downloads unless it is there. Raises InputError subclasses."""
        ...

    def page(self, uri: str, version: str | None, folder: Path, paging: Paging) -> FetchedInput | None:
        """The input with nothing of it here yet: `pages` bring what is read, into a new folder in `folder`.

        None when it can only be had whole. Raises InputError subclasses.
        """
        ...


@dataclass(frozen=True, slots=True)
class FetchedInput:
    """A local copy.

    Attributes:
        uri: as named. path: local regular file.
        version: what pins the content: S3 version or ETag, http ETag, or a fingerprint of the file.
        name: what the user calls it; "" when the manifest gives no name.
        pages: what fills the file as it is read, to be closed by whoever asked for it; None when it is whole.
    """

    uri: str
    path: Path
    version: str
    name: str = ""
    pages: PagedSource | None = None


Object = Mapping[str, Any]
"""A Kubernetes object, as the API server writes it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An object as a table shows it.

    Attributes:
        metadata: of the object, whole.
        cells: what its kind's printer columns show, by the column's name; None where there is nothing.
    """

    metadata: Object
    cells: Mapping[str, Any]


class AlreadyThere(Exception):
    """An object of that name is there already."""


class ClusterConflict(Exception):
    """The object changed since it was read, or is another one: read it again."""


class Cluster(Protocol):
    """The Kubernetes API. All methods raise ClusterUnavailable and ClusterRefused; safe for threads."""

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """One object, read live; None when it is not there."""
        ...

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", most: int | None = None
    ) -> Iterator[Object]:
        """Objects of one namespace or of all, page by page, `most` at the most; they lack their own kind and
        apiVersion.
        """
        ...

    def outlines(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Iterator[Outline]:
        """The same of all objects in a form that does not grow with what they hold, page by page."""
        ...

    def create(self, kind: Kind, value: Object) -> Object:
        """Makes an object. Raises AlreadyThere."""
        ...

    def replace(self, kind: Kind, value: Object) -> Object:
        """Writes an object over the version that it was read as. Raises ClusterConflict."""
        ...

    def apply(self, kind: Kind, value: Object, *, manager: str) -> Object:
        """Server-side apply: makes the object, or sets the fields that it names."""
        ...

    def patch(
        self, kind: Kind, namespace: str | None, name: str, value: Object, *, subresource: str = ""
    ) -> Object | None:
        """Merge patch; None when the object is not there."""
        ...

    def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None) -> None:
        """Deletes an object, what it owns after it; nothing when it is not there. Raises ClusterConflict for a `uid`
        that is another object's.
        """
        ...


class ClusterStreams(Protocol):
    """What the Kubernetes API tells as it happens. Raises what `Cluster` does."""

    def watch(
        self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = "", version: str = ""
    ) -> Iterator[tuple[str, Object]]:
        """("ADDED" | "MODIFIED" | "DELETED", object) as they come, without `version` first all that are there; ends now
        and then, at once for a version that is too old.
        """
        ...

    def log(self, namespace: str, pod: str, query: LogQuery) -> Iterator[tuple[str, str]]:
        """(time, line) of a container's log, oldest first; may end before its container does."""
        ...
