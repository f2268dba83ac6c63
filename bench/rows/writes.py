"""What storing the results costs, by DynamoDB's published rule (a contract test holds it against the service)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import launch
from bench.agreement import FrameBoxes, load
from bench.clips import FRAMES_PER_S
from bench.measure import ratio_of
from bench.peers.ours import PRESENCE_GAP_MS, WINDOW_MS, run_record
from bench.plan import Plan
from bench.server import MODEL, repository, serving
from bench.table import Row
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.results.aggregate.accumulate import SegmentAccumulator
from videojob.results.aggregate.segment_results import SegmentCommit, WriteUsage
from videojob.results.stored.codec import digest
from videojob.results.stored.write_cost import UNIT_BYTES, one_item_per_frame
from videojob.video.info import Segment
from videojob.video.segments import TARGET_MS
from videojob.vision.tensors import Detections

_SEGMENTS = 40
_SEGMENT_FRAMES = TARGET_MS // 1000 * FRAMES_PER_S
_MILLION = 1_000_000


def rows(plan: Plan) -> Iterator[Row]:
    """Write units beside one item per frame, and beside the least that the payload needs."""
    with tempfile.TemporaryDirectory(prefix="videojob-bench-") as name:
        folder = Path(name)
        with serving(repository(), [MODEL]) as place:
            launch.run("ours_boxes", replace(plan.task("small", 1, place), boxes=folder / "boxes.npz"))
        usage = _store(folder / "results.sqlite3", load(folder / "boxes.npz"))
    frames = _SEGMENTS * _SEGMENT_FRAMES
    units = usage.write_units * _MILLION / frames
    naive = one_item_per_frame(_MILLION).write_units
    # A segment is one conditional put: less than a unit for each cannot be.
    floor = max(usage.payload_bytes / UNIT_BYTES, float(_SEGMENTS)) * _MILLION / frames
    note = f"{_SEGMENTS} segments of {TARGET_MS // 1000} s, windows of {WINDOW_MS // 1000} s"
    yield Row(
        "write units / one item per frame",
        "small",
        units,
        naive,
        "units per million frames",
        ratio_of([(units, naive)]),
        aim=0.02,
        lower_is_better=True,
        note=note,
    )
    yield Row(
        "write units / the payload's floor",
        "small",
        units,
        floor,
        "units per million frames",
        ratio_of([(units, floor)]),
        aim=1.15,
        lower_is_better=True,
        note="floor: a unit per KB, and at least one per segment",
    )


def _store(path: Path, frames: Sequence[FrameBoxes]) -> WriteUsage:
    """Aggregates and commits the clip's boxes, over and over, in segments of the usual length."""
    found = [
        Detections(boxes[:, :4], np.minimum(boxes[:, 4], np.float32(1)), np.zeros(len(boxes), np.int32))
        for boxes in frames
    ]
    sink = SqliteSink(path)
    run = sink.begin(run_record("writes", _SEGMENTS))
    number = 0
    for index in range(_SEGMENTS):
        start = index * _SEGMENT_FRAMES
        segment = Segment(index, 0, start, start + _SEGMENT_FRAMES)
        accumulator = SegmentAccumulator(segment, window_ms=WINDOW_MS, presence_gap_ms=PRESENCE_GAP_MS)
        for _ in range(_SEGMENT_FRAMES):
            accumulator.add(number * 1000 // FRAMES_PER_S, found[number % len(found)])
            number += 1
        result = accumulator.finish(frames_decoded=_SEGMENT_FRAMES, gaps=())
        sink.commit(run, SegmentCommit(result, digest(result)))
    usage = sink.usage()
    sink.close()
    return usage
