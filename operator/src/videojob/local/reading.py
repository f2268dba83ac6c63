"""A manifest's inputs on this machine: brought here, asked for again while they are away, and probed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from videojob.api.spec import S3Input, VideoJobSpec
from videojob.errors import VideoJobError
from videojob.ports.clock import Clock
from videojob.ports.inputs import FetchedInput
from videojob.ports.results import Sink
from videojob.printable import printable
from videojob.results.stored.summary_codec import decode_summary
from videojob.worker.segment.task import VideoPlan, fault_in_video
from videojob.worker.steps.dispatch import is_away
from videojob.worker.steps.input_retries import Rounds
from videojob.worker.steps.inputs import FailedInput, InputResolver, Item, distinct, once
from videojob.worker.steps.probing import probe_inputs

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InputReading:
    """How the inputs are read.

    Attributes:
        spec: of the job.
        cpus: concurrent probes.
        pause: waits that many seconds.
        clock: the time.
        notice: called with a sentence when inputs are away, or when something of a video is left out.
        deadline_s: monotonic time past which nothing is waited for; None for never.
    """

    spec: VideoJobSpec
    cpus: int
    pause: Callable[[float], None]
    clock: Clock
    notice: Callable[[str], None]
    deadline_s: float | None

    def videos(self, resolver: InputResolver) -> tuple[VideoPlan, ...]:
        """Every video, by position; one that stays away has its error.

        Raises:
            SetupError: AWS cannot be used from here, or the disk is full.
        """

        def fetch(items: Sequence[Item]) -> list[FetchedInput | FailedInput]:
            return [_fetched(resolver, item) for item in items]

        rounds = Rounds(
            resolver,
            fetch,
            _error_of,
            self.spec.backoff_limit,
            self.pause,
            self.clock,
            self._say_away,
            until_s=self.deadline_s,
        )
        requested = once(resolver.expand(self.spec.inputs))
        for words in resolver.take_left_out():
            self.notice(words)
        found = rounds.run(requested)
        videos = probe_inputs(list(distinct(found)), self.cpus, self.spec.compute.segment_seconds * 1000)
        for video in videos:
            for words in () if video.info is None else video.info.notices:
                self.notice(f"{printable(video.uri)}: {printable(words)}")
        return videos

    def _say_away(self, errors: Sequence[VideoJobError], again_in_s: float) -> None:
        # Without the advice of the error: that is for what was given up, and this run asks again by itself.
        first, others = errors[0], len(errors) - 1
        more = f" and {others} more" if others else ""
        name, message = printable(first.uri or ""), printable(first.message)
        self.notice(f"{name}{more}: {first.reason}, retried in {again_in_s:.0f} s: {message}")


def _fetched(resolver: InputResolver, item: Item) -> FetchedInput | FailedInput:
    try:
        return resolver.fetch(item)
    except VideoJobError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this video, and must be named
        _LOG.exception("unexpected error at %s", item.uri)
        return FailedInput(item.uri, item.name, fault_in_video(error, item.uri))


def _error_of(found: FetchedInput | FailedInput) -> VideoJobError | None:
    return found.error if isinstance(found, FailedInput) else None


def reason_to_wait(spec: VideoJobSpec, videos: Sequence[VideoPlan], sink: Sink, uid: str) -> VideoJobError | None:
    """Why the job must not be begun now, though there are good videos.

    A passing fault of this machine is no verdict on a video. And a summary without a video that is away must not take
    the place of one that has it.
    """
    for video in videos:
        if video.error is not None and video.error.retryable and not is_away(video.error):
            return video.error
    away = [video for video in videos if is_away(video.error)]
    stored = sink.summary(uid) if away else None
    if stored is None:
        return None
    known = [one.entry.uri for one in decode_summary(stored).videos]
    prefixes = {_prefix_uri(item.source) for item in spec.inputs if isinstance(item.source, S3Input)}
    for video in away:
        if video.uri in known or (video.uri in prefixes and any(uri.startswith(video.uri) for uri in known)):
            return video.error
    return None


def _prefix_uri(source: S3Input) -> str | None:
    return f"s3://{source.bucket}/{source.prefix or ''}" if source.key is None else None
