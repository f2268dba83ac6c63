"""`videojob run VIDEO…`: a run without a manifest is the run of the manifest that it shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.command import Finished, stored_summary, videojob
from support.samples import sample_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("videos")
    shutil.copy(sample_path("bikes.mp4"), place / "Street 1.mp4")
    return place


@pytest.fixture(scope="module")
def done(folder: Path) -> Finished:
    return videojob("run", folder / "Street 1.mp4", "--save", folder / "kept.yaml", "--output", folder / "out")


def test_a_video_alone_is_run_and_its_manifest_is_shown_and_kept(folder: Path, done: Finished) -> None:
    assert done.code == 0, done.err
    assert done.out.startswith("Completed\n  20 frames of 1 video")
    assert "  On a cluster in us-east-1 this would cost about $0." in done.out.splitlines()[-1]
    kept = (folder / "kept.yaml").read_text()
    assert done.err.startswith(f"# The manifest of these videos; kept in {folder / 'kept.yaml'}\n{kept}")
    assert "name: street-1" in kept
    assert f"path: {folder / 'Street 1.mp4'}" in kept


def test_the_kept_manifest_gives_the_same_summary(folder: Path, done: Finished) -> None:
    again = videojob("run", folder / "kept.yaml", "--output", folder / "again", "--json")
    assert again.code == 0, again.err
    assert stored_summary(folder / "again") == stored_summary(folder / "out")


def test_two_videos_of_the_same_file_name_are_two_inputs_of_one_job(tmp_path: Path) -> None:
    for name, sample in (("A", "bikes.mp4"), ("B", "carphone.mp4")):
        (tmp_path / name).mkdir()
        shutil.copy(sample_path(sample), tmp_path / name / "x.mp4")
    alone = [
        videojob("run", tmp_path / name / "x.mp4", "--output", tmp_path / f"alone-{name}", "--json").document
        for name in ("A", "B")
    ]
    both = videojob("run", tmp_path / "A/x.mp4", tmp_path / "B/x.mp4", "--output", tmp_path / "both", "--json")
    assert both.code == 0, both.err
    assert both.document["segments_run"] == sum(one["segments_run"] for one in alone) == 2
    found = json.loads(stored_summary(tmp_path / "both"))["videos"]
    assert [Path(one["uri"]).parent.name for one in found] == ["A", "B"]
    assert [one["frames"] for one in found] == [
        json.loads(stored_summary(tmp_path / f"alone-{name}"))["videos"][0]["frames"] for name in ("A", "B")
    ]


def test_json_holds_nothing_of_the_manifest(folder: Path, done: Finished) -> None:
    again = videojob("run", folder / "Street 1.mp4", "--output", folder / "out", "--json")
    assert (again.code, again.err) == (0, "")
    assert again.document["state"] == "Completed"
    assert again.document["segments_run"] == 0  # the same job: it continues


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kept.yaml", "Street 1.mp4"), "InvalidUsage: a manifest is run alone, without videos or other manifests"),
        (("kept.yaml", "kept.yaml"), "InvalidUsage: a manifest is run alone, without videos or other manifests"),
        (("kept.yaml", "--fps", "3"), "InvalidUsage: --fps: only for videos without a manifest"),
        (("Street 1.mp4", "--fps", "-3"), "InvalidUsage: --fps: '-3' does not fit"),
        (("Street 1.mp4", "--save", "kept.yaml"), "kept.yaml: the file exists. Give --force to replace it"),
        (("nosuch.mp4",), "InvalidUsage: there is no file"),
        (("nosuch.yaml",), "cannot read the manifest"),
    ],
)
def test_what_cannot_be_run_is_one_error_and_nothing_is_started(
    folder: Path, done: Finished, arguments: tuple[str, ...], words: str
) -> None:
    places = [str(folder / one) if "." in one else one for one in arguments]
    refused = videojob("run", *places, "--output", folder / "none")
    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert not (folder / "none").exists()
