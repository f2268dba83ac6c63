"""Order and choice of names are the same wherever videos come from."""

from __future__ import annotations

import pytest

from videojob.adapters.inputs.naming import looks_like_video, natural_key


def test_numbers_in_names_sort_by_value() -> None:
    names = ["clip10.mp4", "clip2.mp4", "Clip1.mp4", "clip02.mp4", "2024.mp4", "a/9.mp4", "a/10.mp4", "clip.mp4"]
    assert sorted(names, key=natural_key) == [
        "2024.mp4",
        "Clip1.mp4",
        "a/9.mp4",
        "a/10.mp4",
        "clip02.mp4",
        "clip2.mp4",
        "clip10.mp4",
        "clip.mp4",
    ]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a.mp4", True),
        ("day/B.MOV", True),
        ("x.webm", True),
        (".hidden.mp4", False),
        ("notes.txt", False),
        ("mp4", False),
        ("folder.mp4/", True),
    ],
)
def test_a_name_looks_like_a_video_by_its_extension(name: str, taken: bool) -> None:
    assert looks_like_video(name) is taken
