"""How many decoded pictures stay in memory: their buffers are what large videos need memory for."""

from __future__ import annotations

import gc
from pathlib import Path

import av
import pytest

from support.video_values import video_info
from support.videos import Spec, write_video
from videojob.media.decoding.view import Views


@pytest.mark.parametrize("gop", [1, 10])
def test_pictures_are_freed_soon_after_their_side_data_is_read(tmp_path: Path, gop: int) -> None:
    path = write_video(tmp_path / "clip.mp4", Spec(gop=gop, frames=120, options={"bf": "0"}))
    views = Views(video_info(width=160, height=96))
    gc.collect()
    gc.disable()  # when Python collects on its own depends on all that ran before
    try:
        with av.open(str(path)) as container:
            for number, picture in enumerate(container.decode(video=0)):
                views.see(number, picture)
            alive = sum(type(one) is av.VideoFrame for one in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 16
