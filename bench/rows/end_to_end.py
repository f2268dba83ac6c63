"""From the file to committed results, beside everything else that could do it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench import launch
from bench.agreement import FrameBoxes, compare, load
from bench.launch import Interleaved
from bench.measure import ratio_of
from bench.plan import Plan, with_frame_size
from bench.server import MODEL, repository, serving
from bench.table import Missing, Row
from bench.tasks import ServerPlace, Task

OURS = "ours"
PEERS = {
    "ceiling": "L_cpu",
    "tuned": "tuned script, no IPC",
    "naive": "naive cv2 + ONNX Runtime, batch 1",
    "stock": "stock tritonclient, async",
    "naive_triton": "naive Triton client",
    "deface_tool": "deface, output discarded",
    "perf_analyzer": "perf_analyzer (server alone)",
}
_AIMS = {"ceiling": 0.92}
_WITHOUT_BOXES = {"ceiling", "perf_analyzer"}
_IN_FLIGHT_PER_CORE = 32


def rows(plan: Plan) -> Iterator[Row | Missing]:
    """One row per clip and peer."""
    with serving(repository(), [MODEL]) as place:
        for clip_name in plan.clips:
            yield from _clip_rows(plan, clip_name, place)


def _clip_rows(plan: Plan, clip_name: str, place: ServerPlace) -> Iterator[Row | Missing]:
    task = with_frame_size(
        plan.task(clip_name, plan.loops, place), in_flight=str(_IN_FLIGHT_PER_CORE * plan.cores), group="1"
    )
    notes = _outputs(plan, clip_name, place)
    series = launch.compare(OURS, list(PEERS), task, plan.rounds)
    for peer, words in PEERS.items():
        if peer in series.failed:
            yield Missing(f"ours / {words}, {clip_name}", series.failed[peer])
        else:
            yield _row(series, peer, words, clip_name, notes)


def _row(series: Interleaved, peer: str, words: str, clip_name: str, notes: dict[str, str]) -> Row:
    rates = series.rates(peer)
    parts = [_cpu_note(series, peer), notes.get(peer, "")]
    return Row(
        name=f"ours / {words}",
        clip=clip_name,
        ours=statistics.median(ours for ours, _ in rates),
        against=statistics.median(theirs for _, theirs in rates),
        unit="frames/s",
        ratio=ratio_of(rates),
        aim=_AIMS.get(peer),
        note="; ".join(part for part in parts if part),
        others_share=series.others_share(peer),
    )


def _cpu_note(series: Interleaved, peer: str) -> str:
    if peer == "perf_analyzer":
        return ""
    costs = series.cpu_costs(peer)
    ours, theirs = (statistics.median(pair[side] for pair in costs) for side in (0, 1))
    return f"CPU-ms/frame {ours:.1f} : {theirs:.1f}"


def _outputs(plan: Plan, clip_name: str, place: ServerPlace) -> dict[str, str]:
    """How each peer's boxes compare with ours, on the clip's first round; these runs are not timed."""
    task = plan.task(clip_name, 1, place)
    with tempfile.TemporaryDirectory(prefix="videojob-bench-") as folder:
        ours = _boxes_of("ours_boxes", task, Path(folder))
        notes = {}
        for peer in PEERS.keys() - _WITHOUT_BOXES:
            try:
                notes[peer] = compare(ours, _boxes_of(peer, task, Path(folder))).text()
            except launch.VariantFailed:
                notes[peer] = "outputs not compared: that run failed"
        return notes


def _boxes_of(variant: str, task: Task, folder: Path) -> list[FrameBoxes]:
    path = folder / f"{variant}.npz"
    launch.run(variant, replace(task, boxes=path))
    return load(path)
