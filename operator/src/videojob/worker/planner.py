"""The planner pod's work: expand the inputs, pin and probe each video, cut it, and store the plan.

It runs in a pod of its own, since a prefix may hold thousands of videos that nobody trusts. Started again it does the
same again, and the first plan that was stored whole is the one that counts.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from videojob.errors import InputError, ManifestError, NoFrames, VideoJobError
from videojob.media.decoder import DecoderProcess
from videojob.planning.jobplan import PlanHead, PlannedVideo, sampled_frames
from videojob.planning.settings import PlannedInput, RunSettings, plan_digest, run_settings
from videojob.planning.video import Segment, VideoInfo
from videojob.ports import JobStore
from videojob.worker.inputs import FailedInput, InputResolver, Wanted
from videojob.worker.jobfile import JobFile
from videojob.worker.probing import cut_videos, engine, probe_patiently
from videojob.worker.process_control import stop_signals_held
from videojob.worker.values import VideoPlan

_LOG = logging.getLogger(__name__)
_PLAN_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Looked:
    """One input that was looked at."""

    plan: VideoPlan
    address: str
    owner: str


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans one job.

    Attributes:
        file: the job.
        store: where the plan goes.
        scratch: folder for what must be had of a video to look at it.
        probes: videos that are looked at side by side.
    """

    file: JobFile
    store: JobStore
    scratch: Path
    probes: int

    def run(self, attempt: int) -> PlanHead:
        """Makes and stores the plan of this attempt, or finds it made.

        Returns:
            The head that stands; its `error` is set when not one input can be used.

        Raises:
            VideoJobError: an input could not be had now, or the store or AWS cannot be used.
        """
        known = self.store.plan_head(self.file.uid, attempt)
        if known is not None:
            return known
        looked = self._look()
        again = next((one.plan.error for one in looked if one.plan.error and one.plan.error.retryable), None)
        if again is not None:
            raise again
        head, videos = self._plan(attempt, looked)
        return self.store.save_plan(self.file.uid, head, videos)

    def _plan(self, attempt: int, looked: Sequence[_Looked]) -> tuple[PlanHead, list[PlannedVideo]]:
        settings = run_settings(self.file.job.spec)
        plans = [one.plan for one in looked]
        segments = cut_videos(plans, settings.segment_ms)
        videos = [_planned(one, [segment for segment in segments if segment.video == one.plan.video]) for one in looked]
        good = [plan.info for plan in plans if plan.info is not None]
        head = PlanHead(
            attempt=attempt,
            plan_id=secrets.token_hex(_PLAN_ID_BYTES),
            plan_digest=self._digest(plans, segments, settings) if good else "",
            videos=len(plans),
            failed=len(plans) - len(good),
            segments=len(segments),
            frames=sum(sampled_frames(info, settings) for info in good),
            duration_ms=sum(info.duration_ms for info in good),
            error=None if good else _nothing_good(plans).as_dict(),
        )
        return head, videos

    def _digest(self, plans: Sequence[VideoPlan], segments: Sequence[Segment], settings: RunSettings) -> str:
        inputs = [PlannedInput(plan.uri, plan.version, plan.error.reason if plan.error else "") for plan in plans]
        model = f"{self.file.model_digest} {self.file.model_version} {engine(embedded=False)}"
        return plan_digest(inputs, segments, model, settings)

    def _look(self) -> list[_Looked]:
        """Every video once, in the manifest's order."""
        refused = next((item.file for item in self.file.job.spec.inputs if item.file is not None), None)
        if refused is not None:
            raise ManifestError("a cluster has no files of yours", uri=refused.path, hint="Put the video into S3.")
        with contextlib.ExitStack() as stack:
            resolver = stack.enter_context(InputResolver(self.scratch, self.scratch))
            idle: SimpleQueue[DecoderProcess] = SimpleQueue()
            for _ in range(self.probes):
                decoder = DecoderProcess()
                stack.callback(decoder.close)
                idle.put(decoder)
            pool = stack.enter_context(ThreadPoolExecutor(self.probes))
            with stop_signals_held():  # inherited by the threads and so by the decoders
                found = list(
                    pool.map(lambda item: self._look_at(item, idle), resolver.expand(self.file.job.spec.inputs))
                )
        return _numbered(found)

    def _look_at(self, item: Wanted | FailedInput, idle: SimpleQueue[DecoderProcess]) -> _Looked:
        if isinstance(item, FailedInput):
            return _Looked(VideoPlan(0, item.uri, item.name, "", None, None, item.error), "", "")
        version, info, error = "", None, None
        decoder = idle.get()
        try:
            version, info = self._probe(item, decoder)
        except InputError as problem:
            problem.uri = problem.uri or item.uri
            error = problem
            _LOG.warning("input refused", extra={"uri": item.uri, "reason": problem.reason})
        finally:
            idle.put(decoder)
        return _Looked(VideoPlan(0, item.uri, item.name, version, None, info, error), item.address, item.owner)

    def _probe(self, item: Wanted, decoder: DecoderProcess) -> tuple[str, VideoInfo]:
        fetched = item.fetcher.fetch(item.address, item.version, self.scratch)
        try:
            return fetched.version, probe_patiently(decoder, fetched, self.file.job.spec.compute.segment_seconds * 1000)
        finally:
            fetched.path.unlink(missing_ok=True)


def _numbered(found: Sequence[_Looked]) -> list[_Looked]:
    """Without those that were named twice, each with its position."""
    seen: set[tuple[str, str]] = set()
    kept: list[_Looked] = []
    for one in found:
        key = (one.address, one.plan.version)
        if one.address and one.plan.version:
            if key in seen:
                continue
            seen.add(key)
        kept.append(replace(one, plan=replace(one.plan, video=len(kept))))
    return kept


def _planned(looked: _Looked, segments: Sequence[Segment]) -> PlannedVideo:
    plan = looked.plan
    return PlannedVideo(
        video=plan.video,
        uri=plan.uri,
        address=looked.address,
        name=plan.name,
        version=plan.version,
        owner=looked.owner,
        info=plan.info,
        cuts=tuple(segment.end_pts for segment in segments if segment.end_pts is not None),
        first_segment=segments[0].index if segments else 0,
        error=None if plan.error is None else plan.error.as_dict(),
    )


def _nothing_good(plans: Sequence[VideoPlan]) -> VideoJobError:
    first = next((plan.error for plan in plans if plan.error is not None), None)
    return first or NoFrames("the manifest's inputs hold no video")
