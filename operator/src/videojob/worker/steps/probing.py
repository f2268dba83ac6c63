"""Looking into a job's videos before the first segment runs, and cutting them. Laptop and planner pod call it alike."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from queue import SimpleQueue

from videojob.errors import DecoderCrashed, DecodeTimeout, VideoJobError
from videojob.media.parent.decoder import DecoderProcess
from videojob.ports.inputs import FetchedInput
from videojob.video.guide import VideoGuide
from videojob.video.identity import RESULTS_FORMAT
from videojob.video.info import Segment, VideoInfo
from videojob.video.segments import cut
from videojob.worker.process.control import stop_signals_held
from videojob.worker.segment.task import VideoPlan, fault_in_video, file_stamp
from videojob.worker.steps.inputs import FailedInput

_LOG = logging.getLogger(__name__)
_CUT_EVERY_MS = 10_000  # candidates for cuts lie no further apart, so that segments can be near the length asked for


def probe_inputs(inputs: Sequence[FetchedInput | FailedInput], workers: int, segment_ms: int) -> tuple[VideoPlan, ...]:
    """Looks into every input, `workers` at a time, in processes that a bad file can only take down alone."""
    processes = [DecoderProcess() for _ in range(max(1, min(workers, len(inputs))))]
    idle: SimpleQueue[DecoderProcess] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def probe_with_any(video: int, item: FetchedInput | FailedInput) -> VideoPlan:
        process = idle.get()
        try:
            return _probe_one(process, video, item, segment_ms)
        except VideoJobError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this video, and must be named
            _LOG.exception("unexpected error", extra={"uri": item.uri})
            return VideoPlan(video, item.uri, item.name, "", None, None, fault_in_video(error, item.uri))
        finally:
            idle.put(process)

    pool = ThreadPoolExecutor(max_workers=len(processes))
    try:
        with stop_signals_held():  # inherited by the threads and so by the decoders: Ctrl-C is for this process
            found = pool.map(probe_with_any, range(len(inputs)), inputs)
        return tuple(found)
    finally:
        for process in processes:
            process.close()
        pool.shutdown(cancel_futures=True)


def _probe_one(decoder: DecoderProcess, video: int, item: FetchedInput | FailedInput, segment_ms: int) -> VideoPlan:
    if isinstance(item, FailedInput):
        return VideoPlan(video, item.uri, item.name, "", None, None, item.error)
    stamp = file_stamp(item.path)
    try:
        info = probe_patiently(decoder, item, segment_ms)
    except VideoJobError as error:
        error.uri = error.uri or item.uri
        return VideoPlan(video, item.uri, item.name, item.version, item.path, None, error)
    return VideoPlan(video, item.uri, item.name, item.version, item.path, info, None, stamp)


def probe_patiently(decoder: DecoderProcess, item: FetchedInput, segment_ms: int) -> VideoInfo:
    """A second look after a crash or silence: the machine may have been at fault, and the verdict is final.

    A decoder that lives to tell why it cannot go on has come to a verdict: it would come to the same one again.
    """
    cut_every_ms = min(_CUT_EVERY_MS, segment_ms // 2)
    try:
        return decoder.probe(item.path, item.uri, cut_every_ms=cut_every_ms, pages=item.pages)
    except (DecodeTimeout, DecoderCrashed):
        if decoder.pid is not None:
            raise
        return decoder.probe(item.path, item.uri, cut_every_ms=cut_every_ms, pages=item.pages)


def guide_for(decoder: DecoderProcess, item: FetchedInput, info: VideoInfo, segment_ms: int) -> VideoGuide | None:
    """What pods need to read the video's segments and nothing else; None for a video that is copied whole."""
    if item.pages is None:
        return None
    cuts = [one.end_pts for one in cut([info], target_ms=segment_ms) if one.end_pts is not None]
    try:
        return decoder.guide(item.path, info, cuts, item.pages)
    except (DecodeTimeout, DecoderCrashed) as error:
        # The video itself was probed: without a guide its pods read more than they need, and the same.
        _LOG.warning("no guide", extra={"uri": item.uri, "error": str(error)})
        return None


def cut_videos(videos: Sequence[VideoPlan], segment_ms: int) -> tuple[Segment, ...]:
    """Segments of the videos that could be probed, each pointing at its video's position among all inputs."""
    good = [(video.video, video.info) for video in videos if video.info is not None]
    segments = cut([info for _, info in good], target_ms=segment_ms)
    return tuple(replace(segment, video=good[segment.video][0]) for segment in segments)


def engine(*, embedded: bool) -> str:
    """What turns pixels into results here: other libraries or another form of results make another plan.

    Args:
        embedded: the model runs on this machine's own ONNX Runtime; a server elsewhere does not tell its own.
    """
    versions = {"av": version("av"), "numpy": version("numpy"), "opencv-python": _opencv_version()}
    if embedded:
        versions["onnxruntime"] = version("onnxruntime")
    return f"results {RESULTS_FORMAT}; {' '.join(f'{name} {number}' for name, number in versions.items())}"


def _opencv_version() -> str:
    """Of the package with windows or of the one without, as images have it: they compute the same."""
    try:
        return version("opencv-python")
    except PackageNotFoundError:
        return version("opencv-python-headless")
