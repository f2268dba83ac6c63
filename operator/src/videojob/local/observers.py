"""Optional per-frame outputs of a run: detections as Parquet, annotated previews. One file per segment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from videojob.adapters.parquet import DetectionsFile
from videojob.vision.values import Geometry, ModelContract
from videojob.worker.preview import PreviewMode, PreviewStyle, SegmentPreview, join_previews
from videojob.worker.values import FrameObserver, ObserverFactory, SegmentTask


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Which per-frame outputs are wanted; None switches one off.

    Attributes:
        detections: folder of Parquet files.
        preview: folder of previews; `preview_mode` says how they look.
    """

    detections: Path | None = None
    preview: Path | None = None
    preview_mode: PreviewMode = "boxes"


def segment_name(segment: int) -> str:
    """File stem of one segment's output; sorts in the segments' order."""
    return f"seg-{segment:06d}"


def observer_factory(outputs: OutputConfig, contract: ModelContract) -> ObserverFactory:
    """Makes the observers that the outputs ask for."""

    def make(task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:
        observers: list[FrameObserver] = []
        video, name = task.segment.video, segment_name(task.segment.index)
        if outputs.detections is not None:
            path = outputs.detections / f"video-{video:04d}" / f"{name}.parquet"
            observers.append(DetectionsFile(path, video=video, uri=task.info.uri, labels=contract.labels))
        if outputs.preview is not None:
            path = outputs.preview / f"video-{video:04d}" / f"{name}.mp4"
            style = PreviewStyle(outputs.preview_mode, contract.labels, contract.pixels.colour)
            observers.append(SegmentPreview(path, geometry, style))
        return observers

    return make


def join_video_previews(folder: Path) -> list[Path]:
    """One preview per video, from its segments' files; returns the files made."""
    made = []
    for parts in sorted(path for path in folder.glob("video-*") if path.is_dir()):
        target = folder / f"{parts.name}.mp4"
        if join_previews(sorted(parts.glob("seg-*.mp4")), target):
            made.append(target)
    return made
