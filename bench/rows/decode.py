"""From the file to the model's pixels, and what sampling saves."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from bench import launch
from bench.measure import ratio_of
from bench.plan import Plan
from bench.table import Missing, Row
from bench.tasks import Sample, Task

OURS = "decode_ours"
PEERS = {
    "decode_cv2": "cv2, a process per core",
    "decode_swscale": "PyAV + swscale in one pass",
    "decode_alone": "ours without its own process",
}
_AIMS = {("small", "decode_cv2"): 1.0, ("1080p", "decode_cv2"): 1.2}
_SAMPLED = {"keyframes only": {"keyframes": "1"}, "1 frame per second": {"frames_per_second": "1"}}


def rows(plan: Plan) -> Iterator[Row | Missing]:
    """Decoding beside peers, then sparse decoding beside all frames."""
    for clip_name in plan.clips:
        loops = plan.long_loops if clip_name == "small" else plan.loops
        task = plan.task(clip_name, loops)
        yield from _beside_peers(task, clip_name, plan.rounds)
        yield from _sampled(task, clip_name, plan.rounds)


def _beside_peers(task: Task, clip_name: str, rounds: int) -> Iterator[Row | Missing]:
    series = launch.compare(OURS, list(PEERS), task, rounds)
    for peer, words in PEERS.items():
        if peer in series.failed:
            yield Missing(f"decode / {words}, {clip_name}", series.failed[peer])
            continue
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
            others_share=series.others_share(peer),
        )


def _sampled(task: Task, clip_name: str, rounds: int) -> Iterator[Row | Missing]:
    """Sampled runs between runs over all frames, in A-B-B-A order like the others."""
    for words, options in _SAMPLED.items():
        sparse, everything = replace(task, options=options), task
        pairs: list[tuple[Sample, Sample]] = []
        for _ in range(rounds):
            samples = [launch.run(OURS, chosen) for chosen in (everything, sparse, sparse, everything)]
            pairs += [(samples[1], samples[0]), (samples[2], samples[3])]
        rates = [(left.frames_per_s, right.frames_per_s) for left, right in pairs]
        yield Row(
            name=f"decode, {words} / all frames",
            clip=clip_name,
            ours=statistics.median(rate for rate, _ in rates),
            against=statistics.median(rate for _, rate in rates),
            unit="frames of video/s",
            ratio=ratio_of(rates),
            note=f"{pairs[0][0].extra['selected'] / pairs[0][0].frames:.1%} of the frames selected",
            others_share=max(sample.others_share for pair in pairs for sample in pair),
        )
