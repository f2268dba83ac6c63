"""What the controller and the process that folds a job tell each other, one line of JSON each.

The controller asks on the process's stdin. The process tells on its stdout that it makes progress, as often as it
likes, and at last one answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.errors import VideoJobError, error_from_dict
from videojob.planning.throughput.learn import Served
from videojob.planning.throughput.measured import Quantity, Subject
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import DecodedFrames, PlanHead
from videojob.worker.steps.finalise import FinalOutcome
from videojob.worker.steps.learning import Learned

MODULE = "videojob.worker.fold.process"
"""What the process runs."""

PROGRESS = b"{}\n"


@dataclass(frozen=True, slots=True)
class FoldRequest:
    """One job to fold: what `worker.steps.finalise.finalise_run` takes.

    Attributes:
        job: as the user wrote it.
        head: of the plan that was run.
        run: as the table knows it.
        table: of the results. region: its AWS region, None for the environment's.
        retention_s: how long items are kept, see `results.stored.retention`; None keeps them for good.
        served: the server that the frames went to; None when nothing tells it.
    """

    job: VideoJob
    head: PlanHead
    run: RunRecord
    table: str
    region: str | None
    retention_s: int | None = None
    served: Served | None = None

    def encode(self) -> bytes:
        """Its line; `request_from_line` reads it back."""
        values = {
            "job": self.job.as_manifest(),
            "head": asdict(self.head),
            "run": asdict(self.run),
            "table": self.table,
            "region": self.region,
            "retention_s": self.retention_s,
            "served": None if self.served is None else asdict(self.served),
        }
        return json.dumps(values).encode() + b"\n"


def request_from_line(line: bytes) -> FoldRequest:
    """The inverse of `FoldRequest.encode`; raises KeyError, TypeError or ValueError on anything else."""
    values = json.loads(line)
    job = VideoJob.from_manifest(values["job"])
    decoded = tuple(DecodedFrames(**one) for one in values["head"].pop("decoded"))
    head, run = PlanHead(**values["head"], decoded=decoded), RunRecord(**values["run"])
    served = None if values["served"] is None else Served(**values["served"])
    return FoldRequest(job, head, run, values["table"], values["region"], values["retention_s"], served)


@dataclass(frozen=True, slots=True)
class Folded:
    """How a fold ended: `outcome` is None when segments are open; `learned` is what the commits tell of speeds."""

    outcome: FinalOutcome | None
    learned: Learned = field(default_factory=dict)


def answer_line(ended: Folded | VideoJobError) -> bytes:
    """The last line; `ended_from_line` reads it back."""
    if isinstance(ended, VideoJobError):
        return json.dumps({"error": ended.as_dict()}).encode() + b"\n"
    learned = [[asdict(subject), name, list(values)] for subject, (name, values) in ended.learned.items()]
    outcome = None if ended.outcome is None else asdict(ended.outcome)
    return json.dumps({"outcome": outcome, "learned": learned}).encode() + b"\n"


def ended_from_line(line: bytes) -> Folded | VideoJobError | None:
    """How it ended; None for a line that says that it makes progress. Raises ValueError for an invalid one."""
    values: Mapping[str, Any] = json.loads(line)
    if "error" in values:
        return error_from_dict(values["error"])
    if "outcome" not in values:
        return None
    outcome = values["outcome"]
    try:
        learned = {_subject(one): (str(name), tuple(of)) for one, name, of in values.get("learned", ())}
        return Folded(None if outcome is None else FinalOutcome(**outcome), learned)
    except TypeError as error:
        raise ValueError(f"not an outcome: {error}") from error


def _subject(values: Mapping[str, Any]) -> Subject:
    return Subject(**{**values, "quantity": Quantity(values["quantity"])})
