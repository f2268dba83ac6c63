"""The batcher against a device whose ceiling is known exactly: a model that sleeps. EMULATED, no accelerator."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from bench import launch
from bench.measure import ratio_of
from bench.plan import Plan, with_frame_size
from bench.server import EMULATED, emulated_device, serving_emulated
from bench.table import Missing, Row
from bench.tasks import Sample

_VARIANTS = {
    "ours": ("ours, from the file to results", 0.97),
    "client_ours": ("our client, frames ready in memory", 0.97),
    "client_stock": ("stock tritonclient, frames ready", None),
    "perf_analyzer": ("perf_analyzer", None),
}


def rows(plan: Plan) -> Iterator[Row | Missing]:
    """Each way of feeding the device / its ceiling."""
    device = emulated_device()
    with serving_emulated() as place:
        task = plan.task("small", plan.long_loops, place, EMULATED)
        in_flight = str(2 * device.max_batch * device.instances)
        task = with_frame_size(task, in_flight=in_flight, group="1")
        grouped = replace(task, options={**task.options, "group": str(device.max_batch // 2)})
        samples: dict[str, list[Sample]] = {variant: [] for variant in _VARIANTS}
        failed: dict[str, str] = {}
        for _ in range(plan.rounds):
            for variant in (*_VARIANTS, *reversed(_VARIANTS)):
                if variant in failed:
                    continue
                try:
                    samples[variant].append(launch.run(variant, grouped if variant == "client_ours" else task))
                except launch.VariantFailed as error:
                    failed[variant] = str(error)
    for variant, (words, aim) in _VARIANTS.items():
        if variant in failed:
            yield Missing(f"emulated accelerator: {words}", failed[variant])
            continue
        rates = [sample.frames_per_s for sample in samples[variant]]
        yield Row(
            name=f"emulated accelerator: {words} / ceiling",
            clip="small",
            ours=statistics.median(rates),
            against=device.ceiling_per_s,
            unit="frames/s",
            ratio=ratio_of([(rate, device.ceiling_per_s) for rate in rates]),
            aim=aim,
            note=f"emulated: {device.batch_ms:g} ms + {device.frame_ms:g} ms per frame, batches of {device.max_batch}",
            others_share=max(sample.others_share for sample in samples[variant]),
        )
