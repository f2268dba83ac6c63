"""Videos on the command line become a manifest that could have been written by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from videojob.api.loading.load import load_manifests, parse_manifests
from videojob.cli.laptop.quick import QuickOptions, is_manifest, job_name, manifest_text, quick_job, save_manifest
from videojob.errors import UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a few files that are there."""
    folder = tmp_path / "here"
    (folder / "recordings").mkdir(parents=True)
    for name in ("a.mp4", "12:30.mp4", "job.yaml", "../beside.mp4"):
        (folder / name).write_bytes(b"")
    monkeypatch.chdir(folder)
    return folder


def inputs(*videos: str, base: Path | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = QuickOptions().manifest(videos, None, base or Path.cwd())["spec"]["inputs"]
    return found


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("Lobby 2.mp4", "lobby-2"),
        ("/videos/Über_Straße.MP4", "uber-strasse"),
        ("recordings/", "recordings"),
        ("https://example.com/a/Caf%C3%A9%201.mp4?sig=x", "cafe-1"),
        ("s3://bucket/2026/lobby.mp4", "lobby"),
        ("s3://bucket", "videos"),
        ("--.mp4", "videos"),
        ("東京.mp4", "videos"),
        ("x" * 51 + "-y.mp4", "x" * 51),
    ],
)
def test_the_jobs_name_is_that_of_the_first_video(video: str, name: str) -> None:
    assert job_name(video) == name


def test_the_current_folder_gives_the_job_its_name(here: Path) -> None:
    assert job_name(".") == "here"


def test_without_options_the_manifest_is_that_of_the_quickstarts_model_at_two_frames_per_second(here: Path) -> None:
    manifest = QuickOptions().manifest(["a.mp4"], None, here)
    assert manifest == {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "a"},
        "spec": {
            "inputs": [{"file": {"path": "a.mp4"}}],
            "model": {"name": "face_detector", "threshold": "0.5"},
            "sampling": {"framesPerSecond": 2},
        },
    }


def test_options_are_fields_of_the_manifest(here: Path) -> None:
    manifest = QuickOptions("street", "0.25", "1").manifest(["a.mp4"], "entrance", here)
    assert manifest["metadata"] == {"name": "entrance"}
    assert manifest["spec"]["model"] == {"name": "street", "threshold": 1}
    assert manifest["spec"]["sampling"] == {"framesPerSecond": "0.25"}
    assert "sampling" not in QuickOptions(frames_per_second="all").manifest(["a.mp4"], None, here)["spec"]


def test_the_manifest_that_is_shown_is_the_job_that_runs(here: Path) -> None:
    videos = ["a.mp4", "12:30.mp4", "https://example.com/b.mp4"]
    manifest = QuickOptions("street", "12.5").manifest(videos, None, here)
    assert parse_manifests(manifest_text(manifest), "shown") == [quick_job(manifest, videos)]


def test_each_kind_of_input_has_its_own_form(here: Path) -> None:
    assert inputs(
        "a.mp4",
        "recordings/",
        "12:30.mp4",
        "https://example.com/b.mp4?x=1",
        "s3://b/2026/c.mp4",
        "s3://b/2026/",
        "s3://b",
    ) == [
        {"file": {"path": "a.mp4"}},
        {"file": {"path": "recordings"}},
        {"file": {"path": "./12:30.mp4"}},
        {"http": {"url": "https://example.com/b.mp4?x=1"}},
        {"s3": {"bucket": "b", "key": "2026/c.mp4"}},
        {"s3": {"bucket": "b", "prefix": "2026/"}},
        {"s3": {"bucket": "b", "prefix": ""}},
    ]


def test_a_path_that_climbs_is_written_as_an_absolute_one(here: Path) -> None:
    assert inputs("../beside.mp4") == [{"file": {"path": str(here.parent / "beside.mp4")}}]


@pytest.mark.parametrize(("folder", "path"), [("..", "here/a.mp4"), ("recordings", None)])
def test_paths_start_at_the_folder_of_the_manifest_that_is_kept(here: Path, folder: str, path: str | None) -> None:
    base = (here / folder).resolve()
    assert inputs("a.mp4", base=base) == [{"file": {"path": path or str(here / "a.mp4")}}]


@pytest.mark.parametrize(
    ("options", "videos", "words"),
    [
        (QuickOptions(frames_per_second="0"), ("a.mp4",), "--fps: must be at least 0.001 and at most 240"),
        (QuickOptions(frames_per_second="fast"), ("a.mp4",), "--fps: 'fast' does not fit"),
        (QuickOptions(threshold="50"), ("a.mp4",), "--threshold: must be at least 0 and at most 1"),
        (QuickOptions(model="a/b"), ("a.mp4",), "--model: 'a/b' does not fit"),
        (QuickOptions(), ("http://127.0.0.1/a.mp4",), "http://127.0.0.1/a.mp4: must not lead to a loopback"),
        (QuickOptions(), ("a.mp4",) * 257, "the videos: there are 257 items"),
        (QuickOptions(), ("rtsp://camera/1",), "rtsp://camera/1: videos cannot be read from rtsp://"),
        (QuickOptions(), ("nosuch.mp4",), "there is no file nosuch.mp4"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_typed(
    here: Path, options: QuickOptions, videos: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        quick_job(options.manifest(videos, None, here), videos)
    assert words in str(refusal.value)


def test_an_invalid_name_is_that_of_the_option(here: Path) -> None:
    with pytest.raises(UsageError, match="--name: 'My job' does not fit"):
        quick_job(QuickOptions().manifest(["a.mp4"], "My job", here), ["a.mp4"])


def test_a_manifest_is_kept_and_never_replaced_unasked(here: Path) -> None:
    text = manifest_text(QuickOptions().manifest(["a.mp4"], None, here))
    kept = here / "kept.yaml"
    save_manifest(text, kept, replace=False)
    assert load_manifests(kept)[0].metadata.name == "a"
    with pytest.raises(UsageError, match=r"the file exists.*Give --force to replace it"):
        save_manifest("other", kept, replace=False)
    assert kept.read_text() == text
    save_manifest(text.replace("name: a", "name: b"), kept, replace=True)
    assert load_manifests(kept)[0].metadata.name == "b"


@pytest.mark.parametrize("name", ["job", "job.json", "job.mp4"])
def test_a_manifest_is_kept_under_a_name_that_is_one(here: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"a manifest's name ends in \.yaml"):
        save_manifest("text", here / name, replace=True)
    assert not (here / name).exists()


def test_a_manifest_is_known_by_its_extension_or_its_beginning(here: Path) -> None:
    (here / "manifest").write_text("apiVersion: videojob.dev/v1alpha1\n")
    (here / "old.yaml").mkdir()
    os.mkfifo(here / "pipe")
    manifests = ("job.yaml", "nosuch.yml", "x.JSON", "manifest", "pipe", "/dev/null")
    others = ("a.mp4", "recordings", "nosuch.mp4", "https://example.com/job.yaml", "old.yaml")
    assert [one for one in (*manifests, *others) if is_manifest(one)] == [*manifests]
