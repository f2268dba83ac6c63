"""From the file to the model's pixels, and what sampling saves."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from bench import launch
from bench.measure import Ratio, ratio_of
from bench.plan import Plan
from bench.table import Row
from bench.values import Task

OURS = "decode_ours"
PEERS = {
    "decode_cv2": "cv2, a process per core",
    "decode_swscale": "PyAV + swscale in one pass",
    "decode_alone": "ours without its own process",
}
_AIMS = {("small", "decode_cv2"): 1.0, ("1080p", "decode_cv2"): 1.2}
_SAMPLED = {"keyframes only": {"keyframes": "1"}, "1 frame per second": {"frames_per_second": "1"}}


def rows(plan: Plan) -> Iterator[Row]:
    """Decoding beside peers, then sparse decoding beside all frames."""
    for clip_name in plan.clips:
        loops = plan.long_loops if clip_name == "small" else plan.loops
        task = plan.task(clip_name, loops)
        yield from _beside_peers(task, clip_name, plan.rounds)
        yield from _sampled(task, clip_name, plan.rounds)


def _beside_peers(task: Task, clip_name: str, rounds: int) -> Iterator[Row]:
    series = launch.compare(OURS, list(PEERS), task, rounds)
    for peer, words in PEERS.items():
        rates, costs = series.rates(peer), series.cpu_costs(peer)
        cpu = [statistics.median(pair[side] for pair in costs) for side in (0, 1)]
        yield Row(
            name=f"decode / {words}",
            clip=clip_name,
            ours=statistics.median(ours for ours, _ in rates),
            against=statistics.median(theirs for _, theirs in rates),
            unit="frames/s",
            ratio=ratio_of(rates),
            aim=_AIMS.get((clip_name, peer)),
            note=f"to model size; CPU-ms/frame {cpu[0]:.2f} : {cpu[1]:.2f}",
        )


def _sampled(task: Task, clip_name: str, rounds: int) -> Iterator[Row]:
    """Sampled runs between runs over all frames, in A-B-B-A order like the others."""
    for words, options in _SAMPLED.items():
        all_rates, sparse_rates, selected = [], [], 0.0
        for _ in range(rounds):
            samples = [launch.run(OURS, replace(task, options=chosen)) for chosen in ({}, options, options, {})]
            all_rates += [samples[place].frames_per_s for place in (0, 3)]
            sparse_rates += [samples[place].frames_per_s for place in (1, 2)]
            selected = samples[1].extra["selected"] / samples[1].frames
        ratio: Ratio = ratio_of(list(zip(sparse_rates, all_rates, strict=True)))
        yield Row(
            name=f"decode, {words} / all frames",
            clip=clip_name,
            ours=statistics.median(sparse_rates),
            against=statistics.median(all_rates),
            unit="frames of video/s",
            ratio=ratio,
            note=f"{selected:.1%} of the frames selected",
        )
