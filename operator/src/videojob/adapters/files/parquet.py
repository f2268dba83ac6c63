"""Every box of every frame as Parquet, beside the aggregated results: one file per segment, one row per box.

    video int32, time_ms int64, class_id int32, label string, score float32,
    x_min, y_min, x_max, y_max float32 (source pixels), track_id int32 (null: no track)

A file appears under its name only when its segment is complete; its content depends on the detections alone. Needs
the extra `parquet`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from videojob.adapters.files.part_file import PartFile
from videojob.errors import SetupError
from videojob.results.aggregate.summary import class_label
from videojob.vision.tensors import Detections
from videojob.vision.tracking import UNTRACKED

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

_ROWS_PER_GROUP = 65_536
"""Rows held in memory, about 3 MB, before they are written as one row group."""


class DetectionsFile:
    """Writes one segment's detections; a `FrameObserver` of the segment runner.

    Args:
        path: where the file appears on `commit`; its folder is made.
        video: position in the job's inputs.
        uri: as the manifest named it; kept in the file's metadata.
        labels: class names by class id.

    Raises:
        SetupError: pyarrow is not installed.
    """

    def __init__(self, path: Path, *, video: int, uri: str, labels: Sequence[str]) -> None:
        _require_pyarrow()
        self._file = PartFile(path, "detections file")
        self._video = video
        self._uri = uri
        self._labels = tuple(labels)
        self._frames: list[tuple[int, Detections]] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:  # noqa: ARG002
        """Takes one frame's boxes; see `worker.segment.task.FrameObserver`."""
        if not len(found):
            return
        self._frames.append((time_ms, found))
        self._rows += len(found)
        if self._rows >= _ROWS_PER_GROUP:
            self._flush()

    def finish(self) -> None:
        """Completes the file, unseen. Raises SinkError when it cannot be written."""
        self._flush()
        with self._file.errors():
            self._open().close()
            self._writer = None
            self._file.sync()

    def commit(self) -> None:
        """Gives the finished file its name; it takes the place of an earlier one.

        Raises:
            SinkError: the folder refuses.
        """
        with self._file.errors():
            self._file.publish()

    def discard(self) -> None:
        """Leaves nothing behind."""
        self._frames.clear()
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._writer = None
        self._file.discard()

    def _flush(self) -> None:
        table = detections_table(self._frames, self._video, self._labels)
        self._frames.clear()
        self._rows = 0
        with self._file.errors():
            writer = self._open()
            if table.num_rows:
                writer.write_table(table, row_group_size=_ROWS_PER_GROUP)

    def _open(self) -> pq.ParquetWriter:
        from pyarrow import parquet as pq  # noqa: PLC0415 (an extra)

        if self._writer is None:
            self._file.make_folder()
            schema = detections_schema().with_metadata({"uri": self._uri, "video": str(self._video)})
            self._writer = pq.ParquetWriter(self._file.part, schema, compression="zstd")
        return self._writer


def detections_schema() -> pa.Schema:
    """The columns of a detections file."""
    import pyarrow as pa  # noqa: PLC0415 (an extra)

    def required(name: str, kind: pa.DataType) -> pa.Field[pa.DataType]:
        return pa.field(name, kind, nullable=False)

    edges = [required(edge, pa.float32()) for edge in ("x_min", "y_min", "x_max", "y_max")]
    return pa.schema(
        [
            required("video", pa.int32()),
            required("time_ms", pa.int64()),
            required("class_id", pa.int32()),
            required("label", pa.string()),
            required("score", pa.float32()),
            *edges,
            pa.field("track_id", pa.int32()),
        ]
    )


def detections_table(frames: Sequence[tuple[int, Detections]], video: int, labels: Sequence[str]) -> pa.Table:
    """Frames' boxes as a table, in the order given.

    Args:
        frames: (time_ms, boxes).
        video: position in the job's inputs.
        labels: class names by class id.
    """
    import pyarrow as pa  # noqa: PLC0415 (an extra)

    counts = [len(found) for _, found in frames]
    boxes = np.concatenate([np.empty((0, 4), np.float32), *(found.boxes for _, found in frames)])
    class_ids = np.concatenate([np.empty(0, np.int32), *(found.class_ids for _, found in frames)])
    track_ids = np.concatenate([np.empty(0, np.int32), *(_track_ids(found) for _, found in frames)])
    names = {class_id: class_label(labels, class_id) for class_id in np.unique(class_ids).tolist()}
    columns = [
        pa.array(np.full(sum(counts), video, np.int32)),
        pa.array(np.repeat(np.array([time_ms for time_ms, _ in frames], np.int64), counts)),
        pa.array(class_ids),
        pa.array([names[class_id] for class_id in class_ids.tolist()], pa.string()),
        pa.array(np.concatenate([np.empty(0, np.float32), *(found.scores for _, found in frames)])),
        *(pa.array(boxes[:, edge]) for edge in range(4)),
        pa.array(track_ids, mask=track_ids == UNTRACKED),
    ]
    return pa.Table.from_arrays(columns, schema=detections_schema())


def _track_ids(found: Detections) -> NDArray[np.int32]:
    return np.full(len(found), UNTRACKED, np.int32) if found.track_ids is None else found.track_ids


def _require_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 (an extra)
    except ImportError as error:
        raise SetupError(
            "detections as Parquet need pyarrow, which is not installed", hint="pip install 'videojob[parquet]'"
        ) from error
