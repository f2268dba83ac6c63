"""Our Triton client beside others where the transport is the limit: a model that does nothing with full-size frames."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench import launch
from bench.measure import ratio_of
from bench.plan import Plan, with_frame_size
from bench.server import NOTHING, serving_emulated
from bench.table import Missing, Row
from bench.tasks import Sample, Task

_GROUP = 8
_IN_FLIGHT = 64


def rows(plan: Plan) -> Iterator[Row | Missing]:
    """Ours / the stock client, one frame per request and as many as ours; ours / perf_analyzer."""
    with serving_emulated() as place:
        task = with_frame_size(plan.task("small", plan.long_loops, place, NOTHING), in_flight=str(_IN_FLIGHT))
        single, grouped = (_with(task, group=str(group)) for group in (1, _GROUP))
        by_grpc = _with(grouped, shared_memory="0")
        stock = _Peer("stock tritonclient, async", "client_stock", single, 2.0)
        for how, ours, peer in (
            ("shared memory", grouped, stock),
            ("gRPC", by_grpc, stock),
            ("gRPC", by_grpc, _Peer("stock tritonclient, same requests", "client_stock", grouped, None)),
            ("shared memory", grouped, _Peer("perf_analyzer by gRPC", "perf_analyzer", single, 0.6)),
        ):
            try:
                yield _row(peer, ours, how, plan.rounds)
            except launch.VariantFailed as error:
                yield Missing(f"transport: our client by {how} / {peer.words}", str(error))


def _with(task: Task, **options: str) -> Task:
    return replace(task, options={**task.options, **options})


@dataclass(frozen=True, slots=True)
class _Peer:
    """Whom ours is compared with, and the ratio aimed at."""

    words: str
    variant: str
    task: Task
    aim: float | None


def _row(peer: _Peer, ours: Task, how: str, rounds: int) -> Row:
    pairs: list[tuple[Sample, Sample]] = []
    for _ in range(rounds):
        first, second = launch.run("client_ours", ours), launch.run(peer.variant, peer.task)
        third, fourth = launch.run(peer.variant, peer.task), launch.run("client_ours", ours)
        pairs += [(first, second), (fourth, third)]
    rates = [(left.frames_per_s, right.frames_per_s) for left, right in pairs]
    cpu = [statistics.median(pair[side].cpu_ms_per_frame for pair in pairs) for side in (0, 1)]
    note = f"ours {_GROUP} frames per request"
    if peer.variant != "perf_analyzer":
        note += f"; CPU-ms/frame, server included, {cpu[0]:.2f} : {cpu[1]:.2f}"
    return Row(
        name=f"transport: our client by {how} / {peer.words}",
        clip="",
        ours=statistics.median(rate for rate, _ in rates),
        against=statistics.median(rate for _, rate in rates),
        unit="frames/s",
        ratio=ratio_of(rates),
        aim=peer.aim,
        note=note,
        others_share=max(sample.others_share for pair in pairs for sample in pair),
    )
