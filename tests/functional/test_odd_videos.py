"""The table of odd videos cannot rot: a few of its cases go through the same code, and their truth is met."""

from __future__ import annotations

from pathlib import Path

from bench.odd_videos.kinds import ALL
from bench.odd_videos.measure import made, measure, own_detector
from bench.odd_videos.table import markdown_table

CHOSEN = ("mirrored.mov", "flipped.mkv", "recorder.dav")


def test_odd_videos_meet_their_truth(tmp_path: Path) -> None:
    cases = [case for case in ALL if case.name in CHOSEN]
    verdicts = measure(cases, made(cases, tmp_path / "files"), own_detector(tmp_path), tmp_path)
    assert [verdict.differences for verdict in verdicts] == [(), (), ()]
    table = markdown_table(verdicts)
    assert "boxes exact" in table
    assert "`InputNotVideo`: the file is a Dahua recording" in table


def test_each_case_has_a_name_of_its_own_within_its_kind() -> None:
    names = [(case.kind, case.name) for case in ALL]
    assert len(set(names)) == len(names)
    kinds = {kind for kind, _ in names}
    assert all(sum(kind == one for one, _ in names) >= 3 for kind in kinds)
