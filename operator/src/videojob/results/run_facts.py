"""What a run was like: when, where, how fast. Beside the results, in none of their digests, different in every run.

A run writes it as `run.json` into its output folder; the report reads it. The summary says what is in the videos, this
says what finding it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from videojob.results.aggregate.segment_results import RunRecord, SegmentTimings, WriteUsage

SCHEMA = "videojob.dev/v1alpha1/run"
_Flat = TypeVar("_Flat")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """How the server's counters for the model moved during the run; sums over requests, as `ports.ServerStatistics`.

    Attributes:
        inferences: frames answered. executions: batches run. requests: 0 when not known.
        queue_s, compute_input_s, compute_infer_s, compute_output_s: a batch's time counts once for each of its
            requests.
    """

    inferences: int = 0
    executions: int = 0
    requests: int = 0
    queue_s: float = 0.0
    compute_input_s: float = 0.0
    compute_infer_s: float = 0.0
    compute_output_s: float = 0.0


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Where one input lies on the machine that ran it.

    Attributes:
        video: position in the job's inputs.
        uri: as the summary names it.
        name: what the user calls it; "" when the manifest gives no name.
        path: local file, for decoding thumbnails; None when there is none. Never shown in a report.
        info: `video.info.VideoInfo.as_dict()`; None when probing failed.
    """

    video: int
    uri: str
    name: str = ""
    path: str | None = None
    info: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run.

    Attributes:
        namespace, name: the job.
        uid, epoch, plan_digest: of the run, as in `RunRecord`; they tell whose facts these are.
        started_at, finished_at: ISO 8601 with offset, as "2026-03-01T12:00:00+00:00".
        wall_s: processing alone, from the first segment given out to the last one's end.
        total_s: from start to finish, server start and probing included.
        segments_run, segments_kept: in this run, and by earlier ones.
        kept_other: segments of this run whose earlier, different result stayed.
        frames_selected: by sampling, in this run; `frames_inferred` of them went through the model.
        frames_per_s: selected frames / wall_s.
        mean_batch: frames per execution on the server; None when nothing was inferred.
        transport: how pixels reached the server, as "shared memory" or "gRPC".
        server: as "embedded Triton 2.51.0" or an address.
        model_instances: batches that the server runs at once.
        workers: concurrent segments, each with a decoder process.
        cpu_model, cores: of the machine; "" and 0 when unknown.
        version: of this program.
        sink: where the results are, as text.
        manifest: the manifest's text.
        timings: sums over the segments of this run.
        statistics: of the server, this run.
        usage: what writing the results took, this run.
        videos: by position.
    """

    namespace: str
    name: str
    started_at: str
    finished_at: str
    uid: str = ""
    epoch: int = 0
    plan_digest: str = ""
    wall_s: float = 0.0
    total_s: float = 0.0
    segments_run: int = 0
    segments_kept: int = 0
    kept_other: int = 0
    frames_selected: int = 0
    frames_inferred: int = 0
    frames_per_s: float = 0.0
    mean_batch: float | None = None
    transport: str = ""
    server: str = ""
    model_instances: int = 1
    workers: int = 1
    cpu_model: str = ""
    cores: int = 0
    version: str = ""
    sink: str = ""
    manifest: str = ""
    timings: SegmentTimings = field(default_factory=SegmentTimings)
    statistics: ServerFacts = field(default_factory=ServerFacts)
    usage: WriteUsage = field(default_factory=WriteUsage)
    videos: tuple[VideoFacts, ...] = ()

    def are_of(self, run: RunRecord) -> bool:
        """Whether this very run wrote them: an output folder may hold the record of another job or epoch."""
        return (self.uid, self.epoch, self.plan_digest) == (run.uid, run.epoch, run.plan_digest)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able values; `run_facts_from_dict` reads them back."""
        return {"schema": SCHEMA} | asdict(self)


def run_facts_from_dict(values: Mapping[str, Any]) -> RunFacts:
    """The inverse of `RunFacts.as_dict`; unknown fields are left out, missing ones take their default.

    Raises:
        ValueError: another schema.
        KeyError, TypeError: something of another shape.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"not the facts of a run: {type(values).__name__}, not an object")
    if values.get("schema") != SCHEMA:
        raise ValueError(f"not the facts of a run: schema {values.get('schema')!r}, not {SCHEMA!r}")
    known = _known(RunFacts, values)
    known["timings"] = replace(_flat(SegmentTimings, values.get("timings", {})), server=None)
    known["statistics"] = _flat(ServerFacts, values.get("statistics", {}))
    known["usage"] = _flat(WriteUsage, values.get("usage", {}))
    known["videos"] = tuple(_flat(VideoFacts, video) for video in values.get("videos", ()))
    return RunFacts(**known)


def _flat(kind: type[_Flat], values: Mapping[str, Any]) -> _Flat:
    return kind(**_known(kind, values))


def _known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {item.name: values[item.name] for item in fields(kind) if item.name in values}
