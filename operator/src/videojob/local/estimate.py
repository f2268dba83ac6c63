"""`videojob estimate`: what a manifest's videos would cost on a cluster, from their headers alone."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from videojob.adapters.files.package_data import offers, published_speeds, small_prices
from videojob.api.spec import VideoJobSpec
from videojob.api.videojob import VideoJob
from videojob.errors import NoFrames, VideoJobError
from videojob.local.host import usable_cpus
from videojob.local.models.catalogue import CatalogueEntry
from videojob.media.parent.decoder import DecoderProcess
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import Allowed, ReplicaNeeds, Surroundings
from videojob.planning.placement.plan.workload import GETS_OF_SEGMENT, WRITES_OF_SEGMENT, Decoding, Workload
from videojob.planning.placement.priced import allowed_by
from videojob.planning.throughput.lookup import ModelOnHardware, VideoKind
from videojob.ports.inputs import FetchedInput, Paging
from videojob.video.identity import run_settings
from videojob.video.info import VideoInfo
from videojob.video.plan import sampled_frames
from videojob.video.segments import cut
from videojob.vision.geometry import fit
from videojob.vision.tensors import ModelContract, PixelInput
from videojob.worker.steps.inputs import FailedInput, InputResolver, Item, RequestedInput, once
from videojob.worker.steps.probing import probe_patiently

_PAGING = Paging(disk_bytes=64 << 20, block_bytes=64 << 10, ahead_bytes=64 << 10)
_GPU = ReplicaNeeds(millicpu=2000, memory_mib=6144, gpus=1, max_replicas=10, idle_s=150.0)
_CPU = ReplicaNeeds(millicpu=3000, memory_mib=3072, max_replicas=10, idle_s=90.0)


@dataclass(frozen=True, slots=True)
class Headers:
    """What the videos' headers say.

    Attributes:
        infos: of those that could be read. failed: errors of the others.
        notices: sentences about what folders and prefixes hold that is no video.
    """

    infos: tuple[VideoInfo, ...]
    failed: tuple[VideoJobError, ...]
    notices: tuple[str, ...]


def read_headers(job: VideoJob, base: Path) -> Headers:
    """Reads the headers of all videos, with a few requests for each that is far away, several at a time.

    Args:
        job: whose inputs are read.
        base: folder where relative paths start.

    Raises:
        SetupError: AWS cannot be used from here.
    """
    with (
        tempfile.TemporaryDirectory(prefix="videojob-estimate-") as folder,
        InputResolver(base, Path(folder) / "whole") as resolver,
    ):
        items = once(resolver.expand(job.spec.inputs))
        reader = _Reader(resolver, Path(folder), job.spec.compute.segment_seconds * 1000)
        with contextlib.closing(reader), ThreadPoolExecutor(min(2 * usable_cpus(), max(1, len(items)))) as pool:
            found = list(pool.map(reader.read, items))
        infos = tuple(one for one in found if isinstance(one, VideoInfo))
        failed = tuple(one for one in found if isinstance(one, VideoJobError))
        return Headers(infos, failed, tuple(resolver.take_left_out()))


class _Reader:
    """Reads headers in several threads, each with a decoder process of its own."""

    def __init__(self, resolver: InputResolver, folder: Path, segment_ms: int) -> None:
        self._resolver, self._folder, self._segment_ms = resolver, folder, segment_ms
        self._own = threading.local()
        self._all: list[DecoderProcess] = []

    def read(self, item: Item) -> VideoInfo | VideoJobError:
        """The video, or why it cannot be used."""
        if isinstance(item, FailedInput):
            return item.error
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            try:
                fetched = self._fetched(item, Path(folder))
                try:
                    return probe_patiently(self._decoder(), fetched, self._segment_ms)
                finally:
                    if fetched.pages is not None:
                        fetched.pages.close()
            except VideoJobError as error:
                error.uri = error.uri or item.uri
                return error

    def _fetched(self, item: RequestedInput, folder: Path) -> FetchedInput:
        paged = item.fetcher.page(item.address, item.version, folder, _PAGING)
        return item.fetcher.fetch(item.address, item.version, folder) if paged is None else paged

    def _decoder(self) -> DecoderProcess:
        if not hasattr(self._own, "decoder"):
            self._own.decoder = DecoderProcess()
            self._all.append(self._own.decoder)
        decoder: DecoderProcess = self._own.decoder
        return decoder

    def close(self) -> None:
        """Ends the decoder processes."""
        for one in self._all:
            one.close()


def question_of(
    job: VideoJob, infos: Sequence[VideoInfo], model: CatalogueEntry, contract: ModelContract, region: str
) -> Question:
    """What the plan of a job depends on, with the package's own prices and speeds.

    Raises:
        NoFrames: not one frame is asked for.
        UsageError: no prices are known for the region.
    """
    around = Surroundings(replica={"cpu": _CPU, "gpu": _GPU})
    work = workload(job, infos, model, contract)
    return Question(work, _allowed(job.spec), around, offers(region), small_prices(region), published_speeds())


def workload(job: VideoJob, infos: Sequence[VideoInfo], model: CatalogueEntry, contract: ModelContract) -> Workload:
    """How much work the videos are."""
    settings = run_settings(job.spec)
    keyframes_only = settings.sampling.keyframes_only
    asked = [sampled_frames(one, settings) for one in infos]
    frames = sum(asked)
    if not frames:
        raise NoFrames("the videos have no frames", hint="Give videos with frames to estimate.")
    decoded: dict[VideoKind, int] = {}
    pixels = 0
    for info, requested in zip(infos, asked, strict=True):
        kind = VideoKind(info.codec, info.width * info.height, keyframes_only)
        decoded[kind] = decoded.get(kind, 0) + (requested if keyframes_only else info.frames_estimate)
        pixels += requested * _input_pixels(info, contract.pixels)
    segments = len(cut(list(infos), target_ms=settings.segment_ms))
    return Workload(
        models=_on_hardware(model, contract, pixels // frames),
        frames=frames,
        frame_bytes=3 * pixels // frames,
        decodings=tuple(Decoding(kind, count) for kind, count in decoded.items()),
        segments=segments,
        write_units=segments * WRITES_OF_SEGMENT,
        get_requests=segments * GETS_OF_SEGMENT,
    )


def _on_hardware(
    model: CatalogueEntry, contract: ModelContract, input_pixels: int
) -> dict[Accelerator, ModelOnHardware]:
    """As docs/guides/install-eks.md serves it: ONNX Runtime on CPUs, on GPUs TensorRT with a volume for engines."""
    on_cpu = ModelOnHardware(
        model=model.name,
        digest=contract.digest,
        input_pixels=input_pixels,
        backend="onnxruntime",
        replica_cpus=_CPU.millicpu / 1000,
    )
    return {"cpu": on_cpu, "gpu": replace(on_cpu, backend="tensorrt", replica_cpus=0.0, keeps_engines=True)}


def _input_pixels(info: VideoInfo, pixels: PixelInput) -> int:
    place = fit(*info.display_size, pixels)
    return place.width * place.height


def _allowed(spec: VideoJobSpec) -> Allowed:
    """Seen from the job's start."""
    accelerator = spec.compute.accelerator
    kinds: tuple[Accelerator, ...] = ("cpu", "gpu") if accelerator == "auto" else (accelerator,)
    return allowed_by(spec, kinds, None if spec.deadline is None else float(spec.deadline.complete_within.seconds))
