"""`run.json`: what a run was like, written beside the results for the report and for `videojob results`."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

import videojob
from videojob.api.videojob import VideoJob
from videojob.local.host import usable_cpus
from videojob.local.run_types import JobPlan, RunOptions, SinkConfig
from videojob.local.work import WorkDone
from videojob.printable import printable
from videojob.results.aggregate.segment_results import RunRecord, WriteUsage
from videojob.results.run_facts import RunFacts, ServerFacts, VideoFacts, run_facts_from_dict
from videojob.results.words import without_queries
from videojob.worker.segment.task import VideoPlan

OUTPUT_ROOT = Path("videojob-output")
"""Where runs go when nothing else is said, a folder per job."""
DATABASE = "results.sqlite3"
RUN_FILE = "run.json"
REPORT_FILE = "report.html"
_MANIFEST_COLUMNS = 100
_TRANSPORTS = {"grpc": "gRPC", "shared-memory": "shared memory"}


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When a run began and ended, in seconds since the epoch, UTC."""

    started_s: float
    finished_s: float


def run_facts(
    job: VideoJob,
    options: RunOptions,
    plan: JobPlan,
    work: WorkDone,
    *,
    server: str,
    times: RunTimes,
    usage: WriteUsage,
) -> RunFacts:
    """The facts of a finished run on this machine."""
    return RunFacts(
        namespace=job.metadata.namespace,
        name=job.metadata.name,
        uid=plan.run.uid,
        epoch=plan.run.epoch,
        plan_digest=plan.run.plan_digest,
        started_at=_iso(times.started_s),
        finished_at=_iso(times.finished_s),
        wall_s=work.wall_s,
        total_s=times.finished_s - times.started_s,
        segments_run=work.segments,
        segments_kept=len(plan.kept),
        kept_other=work.kept_other,
        frames_selected=work.frames_selected,
        frames_inferred=work.frames_inferred,
        frames_per_s=work.frames_per_s,
        mean_batch=work.mean_batch,
        transport=_TRANSPORTS.get(work.transport, work.transport),
        server=server,
        model_instances=plan.contract.instances,
        workers=work.workers,
        cpu_model=_cpu_model(),
        cores=usable_cpus(),
        version=videojob.__version__,
        sink=results_place(options.sink),
        manifest=manifest_text(job),
        timings=work.timings,
        # The server tells more than the report shows.
        statistics=ServerFacts(**{one.name: getattr(work.statistics, one.name) for one in fields(ServerFacts)}),
        usage=usage,
        videos=tuple(_video(video) for video in plan.videos),
    )


def manifest_text(job: VideoJob) -> str:
    """The manifest that was run, as YAML: this job alone, and no signature of a pre-signed address."""
    text = yaml.safe_dump(job.as_manifest(), sort_keys=False, allow_unicode=True, width=_MANIFEST_COLUMNS)
    return without_queries(text)


def write_facts(folder: Path, facts: RunFacts) -> Path:
    """Writes `run.json` by rename."""
    path = folder / RUN_FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts.as_dict(), indent=2) + "\n", encoding="utf-8")
    part.rename(path)
    return path


def read_facts(folder: Path, run: RunRecord, remark: Callable[[str], None]) -> RunFacts | None:
    """The record of this run, if the output folder has it. Results and reports do without, so nothing fails for it.

    Args:
        folder: output folder; its record is that of the last run that worked there, of whatever job.
        run: whose record is wanted.
        remark: gets why a record that is there cannot be used, in one sentence.
    """
    path = folder / RUN_FILE
    try:
        facts = run_facts_from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        remark(f"the record of the run at {path} cannot be read: {type(error).__name__}: {error}")
    else:
        if facts.are_of(run):
            return facts
        remark(f"the record at {path} is that of another run")
    return None


def results_place(sink: SinkConfig) -> str:
    """Where the results are, for a person; text even where the path is none, since the report holds it."""
    return printable(f"SQLite file {sink.path}" if sink.kind == "sqlite" else f"DynamoDB table {sink.table}")


def _video(video: VideoPlan) -> VideoFacts:
    return VideoFacts(
        video=video.video,
        uri=video.uri,
        name=video.name,
        path=None if video.path is None else str(video.path.resolve()),
        info=None if video.info is None else video.info.as_dict(),
    )


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")


def _cpu_model() -> str:
    """The processor's name where Linux tells it, else the architecture."""
    facts = Path("/proc/cpuinfo")
    if os.access(facts, os.R_OK):
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
