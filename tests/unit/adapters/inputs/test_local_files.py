"""Files and folders of the laptop become inputs in one order, pinned, and fail by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from videojob.adapters.inputs.local_files import LocalFiles, fingerprint, shown_path
from videojob.errors import InputChanged, InputError, InputNotFound


def write(path: Path, content: bytes = b"video") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_folder_gives_its_own_videos_in_natural_order(tmp_path: Path) -> None:
    for name in ("clip10.mp4", "clip2.MP4", "notes.txt", ".hidden.mp4", "deep/clip1.mp4", "trap.mp4/inside.txt"):
        write(tmp_path / "clips" / name)
    assert LocalFiles(tmp_path).expand("clips") == ["clips/clip2.MP4", "clips/clip10.mp4"]


def test_what_a_folder_has_and_is_not_taken_is_told(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mpg", "c.WMV", "d.dav", "e.vob", "notes.txt", ".x.mpg", "day1/a.mp4", ".git/b.mp4"):
        write(tmp_path / "clips" / name)
    told: list[str] = []
    assert LocalFiles(tmp_path, told.append).expand("clips") == ["clips/a.mp4"]
    (words,) = told
    assert words == (
        "clips: left out are 4 files with other extensions (b.mpg, c.WMV, d.dav, …) and 1 subfolder (day1); "
        "name each as an input of its own to have it read"
    )


def test_nothing_is_told_of_a_folder_that_is_taken_whole(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv", "notes.txt"):
        write(tmp_path / "clips" / name)
    told: list[str] = []
    LocalFiles(tmp_path, told.append).expand("clips")
    assert told == []


def test_a_folder_of_other_videos_alone_is_told_too(tmp_path: Path) -> None:
    write(tmp_path / "clips" / "b.mpg")
    told: list[str] = []
    with pytest.raises(InputNotFound, match="holds no video file"):
        LocalFiles(tmp_path, told.append).expand("clips")
    assert told[0].startswith("clips: left out are 1 file with other extensions (b.mpg)")


def test_a_named_file_may_have_any_extension(tmp_path: Path) -> None:
    write(tmp_path / "recording.dat")
    assert LocalFiles(tmp_path).expand("recording.dat") == ["recording.dat"]


def test_a_file_is_used_where_it_lies(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    fetched = LocalFiles(tmp_path).fetch("a.mp4", None, tmp_path / "cache")
    assert (fetched.uri, fetched.path) == ("a.mp4", path.resolve())
    assert fetched.version == fingerprint(path)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("kind", ["missing", "pipe", "folder", "loop", "dangling link"])
def test_what_is_no_regular_file_is_not_found_and_named_by_its_full_path(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputNotFound, match=str(path)) as caught:
        LocalFiles(tmp_path).fetch("x", None, tmp_path)
    assert caught.value.uri == "x"
    assert not caught.value.retryable


def test_a_folder_without_a_video_is_not_found(tmp_path: Path) -> None:
    write(tmp_path / "clips" / "readme.txt")
    with pytest.raises(InputNotFound, match="holds no video file"):
        LocalFiles(tmp_path).expand("clips")


def test_a_name_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/clips/caf\xe9.mp4")))
    write(tmp_path / "clips" / "café.mp4")
    files = LocalFiles(tmp_path)
    good, bad = files.expand("clips")
    assert good == "clips/café.mp4"
    assert files.fetch(good, None, tmp_path).uri == good
    with pytest.raises(InputError, match="not UTF-8 text") as caught:
        files.fetch(bad, None, tmp_path)
    assert caught.value.uri == r"clips/caf\xe9.mp4"
    assert "Rename" in caught.value.hint
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("path", "shown"),
    [("a/b.mp4", "a/b.mp4"), ("\u202e\n.mp4", "\u202e\n.mp4"), ("caf\udce9.mp4", r"caf\xe9.mp4")],
)
def test_a_path_is_shown_exactly_where_it_is_text(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_a_base_that_is_not_utf8_is_used_and_told_as_text(tmp_path: Path) -> None:
    base = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write(base / "a.mp4")
    assert LocalFiles(base).fetch("a.mp4", None, tmp_path).path == base.resolve() / "a.mp4"
    with pytest.raises(InputNotFound) as caught:
        LocalFiles(base).fetch("b.mp4", None, tmp_path)
    assert caught.value.message == rf"there is no file {tmp_path}/caf\xe9/b.mp4"


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "store" / "a.mp4")
    (tmp_path / "link.mp4").symlink_to(target)
    assert LocalFiles(tmp_path).fetch("link.mp4", None, tmp_path).path == target.resolve()


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    write(tmp_path / "a.mp4", b"one")
    version = files.fetch("a.mp4", None, tmp_path).version
    assert files.fetch("a.mp4", version, tmp_path).version == version
    write(tmp_path / "a.mp4", b"two")
    with pytest.raises(InputChanged):
        files.fetch("a.mp4", version, tmp_path)


@pytest.mark.parametrize("edit", ["first byte", "last byte", "length", "time"])
def test_the_fingerprint_sees_every_ordinary_change(tmp_path: Path, edit: str) -> None:
    path = write(tmp_path / "big.mp4", bytes(3 << 20))
    os.utime(path, ns=(1, 1))
    before = fingerprint(path)
    with path.open("r+b") as file:
        file.seek({"first byte": 0, "last byte": (3 << 20) - 1, "length": 3 << 20, "time": 0}[edit])
        file.write(b"\0" if edit == "time" else b"x")
    os.utime(path, ns=(1, 2 if edit == "time" else 1))
    assert fingerprint(path) != before
