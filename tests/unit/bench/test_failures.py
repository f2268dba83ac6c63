"""A peer that fails costs its own rows: all others are measured and printed, and it is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.__main__ import measured
from bench.launch import VariantFailed, compare
from bench.measure import Ratio
from bench.table import Missing, Row
from bench.tasks import Sample, Task

TASK = Task(Path("small.mp4"), 100, 2, "face_detector", Path("model.onnx"), 5000, Path())
SAMPLE = Sample(frames=100, wall_s=2.0, cpu_s=1.0)


class Machine:
    """Runs variants at once; those that are `lost` end without a sample from their second run on."""

    def __init__(self, *lost: str, after: int = 0) -> None:
        self.lost, self.after, self.runs = lost, after, Counter[str]()

    def run(self, variant: str, _task: Task) -> Sample:
        self.runs[variant] += 1
        if variant in self.lost and self.runs[variant] > self.after:
            raise VariantFailed(f"{variant} ended with code 127\nno such program")
        return SAMPLE


@pytest.mark.parametrize("after", [0, 1], ids=["at once", "at its second run"])
def test_a_peer_that_fails_is_left_out_and_named_and_the_others_are_compared(after: int) -> None:
    machine = Machine("perf_analyzer", after=after)
    series = compare("ours", ["stock", "perf_analyzer", "naive"], TASK, 2, machine.run)
    assert series.failed == {"perf_analyzer": "perf_analyzer ended with code 127\nno such program"}
    for peer in ("stock", "naive"):
        assert series.rates(peer) == [(50.0, 50.0)] * 4
        assert len(series.cpu_costs(peer)) == 4
        assert series.others_share(peer) == 0.0
    assert machine.runs == {"ours": 7, "stock": 4, "naive": 4, "perf_analyzer": after + 1}
    with pytest.raises(ValueError, match="perf_analyzer failed"):
        series.rates("perf_analyzer")


def test_without_ours_there_is_nothing_to_compare() -> None:
    with pytest.raises(VariantFailed, match="ours ended"):
        compare("ours", ["stock"], TASK, 1, Machine("ours", after=1).run)


def test_what_was_measured_stays_and_what_failed_is_named() -> None:
    row = Row("decode / cv2", "small", 2.0, 1.0, "frames/s", Ratio(2.0, 2.0, 2.0, 1))
    gap = Missing("decode / perf_analyzer, small", "perf_analyzer ended with code 127\nno such program")

    def rows() -> Iterator[Row | Missing]:
        yield row
        yield gap
        yield row
        raise VariantFailed("ours took longer than 900 s\nits last line")

    *kept, rest = measured("decode", rows())
    assert kept == [row, gap, row]
    assert isinstance(rest, Missing)
    assert gap.line == "decode / perf_analyzer, small: perf_analyzer ended with code 127"
    assert rest.line == "decode, the rest of it: ours took longer than 900 s"
