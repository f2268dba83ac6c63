"""Makes the observers that write a segment's per-frame files, one set per segment."""

from __future__ import annotations

from videojob.adapters.files.parquet import DetectionsFile
from videojob.adapters.files.preview import PreviewStyle, SegmentPreview
from videojob.local.outputs import OutputConfig
from videojob.vision.tensors import Geometry, ModelContract
from videojob.worker.segment.task import FrameObserver, ObserverFactory, SegmentTask


def observer_factory(outputs: OutputConfig, contract: ModelContract) -> ObserverFactory:
    """Makes the observers that the outputs ask for."""

    def make(task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:
        observers: list[FrameObserver] = []
        if (path := outputs.detections_file(task.run, task.segment)) is not None:
            observers.append(DetectionsFile(path, video=task.segment.video, uri=task.info.uri, labels=contract.labels))
        if outputs.preview is not None and (path := outputs.preview_file(task.run, task.segment)) is not None:
            style = PreviewStyle(outputs.preview, contract.labels, contract.pixels.colour)
            observers.append(SegmentPreview(path, geometry, style))
        return observers

    return make
