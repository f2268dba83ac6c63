"""The planner pod's work: expand the inputs, pin and probe each video, cut it, and store the plan.

It runs in a pod of its own, since a prefix may hold thousands of untrusted videos. Started again it does the
same again, and the first plan that was stored whole is the one that counts.

An input that cannot be read now is retried when all others were probed, with pauses that grow as those of
Kubernetes between pods; in this process, or the probes of all others would be lost. Then it is planned as failed.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock

from videojob.adapters.inputs.transfer import TransferPolicy
from videojob.errors import InputError, ManifestError, NoFrames, VideoJobError
from videojob.kube.job_file import JobFile
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.sandbox.restrict import HEAP_LIMIT_BYTES
from videojob.planning.placement.job_size import check_segments, check_videos
from videojob.ports.inputs import FetchedInput
from videojob.ports.results import JobStore
from videojob.video.guide import VideoGuide
from videojob.video.identity import PlannedInput, RunSettings, plan_digest, run_settings
from videojob.video.info import Segment
from videojob.video.plan import NEWEST_KEYS, PlanHead, PlannedVideo, decoded_frames, sampled_frames
from videojob.video.segments import longest_ms
from videojob.worker.pods.program import Drain
from videojob.worker.pods.video_files import SCRATCH_BYTES, discard, most_copied_bytes, paging_for_probes
from videojob.worker.process.control import stop_signals_held
from videojob.worker.segment.task import VideoPlan, fault_in_video
from videojob.worker.steps.dispatch import is_away
from videojob.worker.steps.input_retries import Rounds
from videojob.worker.steps.inputs import FailedInput, InputResolver, Item, RequestedInput, once
from videojob.worker.steps.probing import cut_videos, engine, guide_for, probe_patiently

_LOG = logging.getLogger(__name__)
_PLAN_ID_BYTES = 8
_PAUSES_S = (1.0, 4.0)  # before an input that could not be read is probed again
_TELL_EVERY = 100
_POLL_S = 0.5  # how often a wait checks the stop signal


@dataclass(frozen=True, slots=True)
class _Probed:
    """One probed input."""

    plan: VideoPlan
    address: str
    owner: str
    guide: VideoGuide | None = None
    requester_pays: bool = False


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans one job.

    Attributes:
        file: the job.
        store: where the plan goes.
        scratch: folder for what is fetched of a video to probe it.
        probes: videos that are probed concurrently.
        drain: whether to stop.
        scratch_bytes: most that may lie in `scratch`.
        decoder_bytes: memory for all concurrent probes.
    """

    file: JobFile
    store: JobStore
    scratch: Path
    probes: int
    drain: Drain
    scratch_bytes: int = SCRATCH_BYTES
    decoder_bytes: int = HEAP_LIMIT_BYTES
    _copying: Lock = field(init=False, default_factory=Lock)

    def run(self, attempt: int) -> PlanHead:
        """Makes and stores the plan of this attempt, or finds it made.

        Returns:
            The head that stands; its `error` is set when not one input can be used.

        Raises:
            JobTooLarge: one summary cannot be made of so many videos or segments.
            VideoJobError: the store or AWS cannot be used.
        """
        known = self.store.plan_head(self.file.uid, attempt)
        if known is not None:
            _LOG.info("already planned", extra={"plan": known.plan_id})
            return known
        probed = self._probe_all()
        head, videos = self._plan(attempt, probed)
        stands = self.store.save_plan(self.file.uid, head, videos)
        _LOG.info("planned", extra={"plan": stands.plan_id, "videos": stands.videos, "segments": stands.segments})
        return stands

    def _plan(self, attempt: int, probed: Sequence[_Probed]) -> tuple[PlanHead, list[PlannedVideo]]:
        settings = run_settings(self.file.job.spec)
        plans = [one.plan for one in probed]
        segments = cut_videos(plans, settings.segment_ms)
        check_segments(len(segments), self.file.job.spec.compute.segment_seconds)
        of_video: dict[int, list[Segment]] = {}
        for segment in segments:
            of_video.setdefault(segment.video, []).append(segment)
        videos = [_planned(one, of_video.get(one.plan.video, [])) for one in probed]
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
            longest_ms=max((longest_ms(one.info, of_video.get(one.video, ())) for one in plans if one.info), default=0),
            keys=self._keys(),
            decoded=decoded_frames(good, settings),
        )
        return head, videos

    def _keys(self) -> int:
        """A job that was begun keeps its keys: another plan of it may go on with what is stored."""
        begun = self.store.newest(self.file.uid)
        return NEWEST_KEYS if begun is None else begun.keys

    def _digest(self, plans: Sequence[VideoPlan], segments: Sequence[Segment], settings: RunSettings) -> str:
        inputs = [PlannedInput(plan.uri, plan.version, plan.error.reason if plan.error else "") for plan in plans]
        model = f"{self.file.model_digest} {self.file.model_version} {engine(embedded=False)}"
        return plan_digest(inputs, segments, model, settings)

    def _probe_all(self) -> list[_Probed]:
        """Every video once, in the manifest's order."""
        refused = next((item.file for item in self.file.job.spec.inputs if item.file is not None), None)
        if refused is not None:
            raise ManifestError("a cluster cannot read local files", uri=refused.path, hint="Put the video into S3.")
        with contextlib.ExitStack() as stack:
            progress = self._received
            policy = TransferPolicy(max_bytes=most_copied_bytes(self.scratch_bytes), pause=self.drain.pause)
            resolver = InputResolver(self.scratch, self.scratch, policy=policy, progress=progress)
            stack.enter_context(resolver)
            requested = once(resolver.expand(self.file.job.spec.inputs), check_videos)
            for words in resolver.take_left_out():
                _LOG.warning("some files are left out", extra={"left_out": words})
            _LOG.info("probing the input videos", extra={"videos": len(requested)})
            idle: SimpleQueue[DecoderProcess] = SimpleQueue()
            probes = min(self.probes, max(1, len(requested)))
            for _ in range(probes):
                decoder = DecoderProcess(heap_bytes=self.decoder_bytes // probes)
                stack.callback(decoder.close)
                idle.put(decoder)
            pool = ThreadPoolExecutor(idle.qsize())
            stack.callback(pool.shutdown, cancel_futures=True)

            def probe_items(items: Sequence[Item]) -> Iterator[_Probed]:
                with stop_signals_held():  # inherited by the threads and so by the decoders: stopping is for us
                    started = [pool.submit(self._probe, item, idle) for item in items]
                return self._gathered(started)

            return _numbered(self._rounds(resolver, probe_items).run(requested))

    def _rounds(
        self, resolver: InputResolver, probe_items: Callable[[Sequence[Item]], Iterator[_Probed]]
    ) -> Rounds[_Probed]:
        limit = self.file.job.spec.backoff_limit
        pause, clock = self.drain.pause, self.drain.clock
        return Rounds(resolver, probe_items, lambda one: one.plan.error, limit, pause, clock, _say_away, check_videos)

    def _gathered(self, futures: Sequence[Future[_Probed]]) -> Iterator[_Probed]:
        for count, future in enumerate(futures, 1):
            found = future.result()
            self.drain.check()
            error = found.plan.error
            if error is not None:
                _LOG.warning("input rejected", extra={"uri": found.plan.uri, "reason": error.reason})
                if error.retryable and not is_away(error):
                    raise error  # a full disk, or no access to AWS: no video is to blame
            for words in () if found.plan.info is None else found.plan.info.notices:
                _LOG.warning("something is left out", extra={"uri": found.plan.uri, "what": words})
            if count % _TELL_EVERY == 0:
                _LOG.info("still probing", extra={"done": count, "videos": len(futures)})
            yield found

    def _received(self, uri: str, received_bytes: int, total_bytes: int | None) -> None:  # noqa: ARG002 - a Progress
        self.drain.check()

    def _probe(self, item: RequestedInput | FailedInput, idle: SimpleQueue[DecoderProcess]) -> _Probed:
        if isinstance(item, FailedInput):
            return _Probed(VideoPlan(0, item.uri, item.name, "", None, None, item.error), "", "")
        decoder = idle.get()
        try:
            return replace(self._patiently(item, decoder), requester_pays=item.requester_pays)
        except VideoJobError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this video, and must be named
            _LOG.exception("unexpected error", extra={"uri": item.uri})
            plan = VideoPlan(0, item.uri, item.name, "", None, None, fault_in_video(error, item.uri))
            return _Probed(plan, item.address, item.owner)
        finally:
            idle.put(decoder)

    def _patiently(self, item: RequestedInput, decoder: DecoderProcess) -> _Probed:
        """One short problem among thousands of videos must not undo the probes of all others."""
        for pause_s in _PAUSES_S:
            probed = self._pin_and_probe(item, decoder)
            if probed.plan.error is None or not probed.plan.error.retryable:
                return probed
            self.drain.pause(pause_s)
        return self._pin_and_probe(item, decoder)

    def _pin_and_probe(self, item: RequestedInput, decoder: DecoderProcess) -> _Probed:
        self.drain.check()
        plan = VideoPlan(0, item.uri, item.name, "", None, None, None)
        with contextlib.ExitStack() as stack:
            try:
                fetched = self._obtain(item, stack)
            except InputError as error:
                return _Probed(replace(plan, error=error), item.address, item.owner)
            plan = replace(plan, version=fetched.version)
            try:
                segment_ms = self.file.job.spec.compute.segment_seconds * 1000
                plan = replace(plan, info=probe_patiently(decoder, fetched, segment_ms))
                guide = None if plan.info is None else guide_for(decoder, fetched, plan.info, segment_ms)
                return _Probed(plan, item.address, item.owner, guide)
            except VideoJobError as error:
                error.uri = error.uri or item.uri
                return _Probed(replace(plan, info=None, error=error), item.address, item.owner)

    def _obtain(self, item: RequestedInput, stack: contextlib.ExitStack) -> FetchedInput:
        """The video, here until the stack is closed. Raises InputError subclasses."""
        # A folder of its own: by another name the same video may be here at this moment.
        folder = Path(stack.enter_context(TemporaryDirectory(dir=self.scratch)))
        paging = paging_for_probes(self.scratch_bytes, self.probes)
        paged = item.fetcher.page(item.address, item.version, folder, paging)
        if paged is not None:
            stack.callback(discard, paged)
            return paged
        # There is room for one that must be copied whole.
        while not self._copying.acquire(timeout=_POLL_S):
            self.drain.check()
        stack.callback(self._copying.release)
        copy = item.fetcher.fetch(item.address, item.version, folder)
        stack.callback(discard, copy)
        size_bytes = copy.path.stat().st_size
        _LOG.warning("each pod copies the whole video", extra={"uri": item.uri, "size_bytes": size_bytes})
        return copy


def _say_away(errors: Sequence[VideoJobError], again_in_s: float) -> None:
    _LOG.warning("inputs cannot be read now", extra={"inputs": len(errors), "again_in_s": again_in_s})


def _numbered(found: Iterable[_Probed]) -> list[_Probed]:
    """Without those that turned out to be one video by two names, each with its position."""
    seen: set[tuple[str, str]] = set()
    kept: list[_Probed] = []
    for one in found:
        key = (one.address, one.plan.version)
        if one.plan.version:
            if key in seen:
                continue
            seen.add(key)
        kept.append(replace(one, plan=replace(one.plan, video=len(kept))))
    return kept


def _planned(probed: _Probed, segments: Sequence[Segment]) -> PlannedVideo:
    plan = probed.plan
    return PlannedVideo(
        video=plan.video,
        uri=plan.uri,
        address=probed.address,
        name=plan.name,
        version=plan.version,
        owner=probed.owner,
        info=plan.info,
        cuts=tuple(segment.end_pts for segment in segments if segment.end_pts is not None),
        first_segment=segments[0].index if segments else 0,
        error=None if plan.error is None else plan.error.as_dict(),
        guide=probed.guide,
        requester_pays=probed.requester_pays,
    )


def _nothing_good(plans: Sequence[VideoPlan]) -> VideoJobError:
    """Of the first input that failed; of one that may come back, if there is one, because the job may then, too."""
    errors = [plan.error for plan in plans if plan.error is not None]
    first = next(filter(is_away, errors), next(iter(errors), None))
    return first or NoFrames("the manifest's inputs hold no video")
