"""A segment read by its guide gives what the whole file gives, whatever the container, and reads no other's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from support.decoding import decode, request_for
from support.paging import Remote
from support.videos import Spec, write_repeated, write_video
from videojob.adapters.inputs.paged import PagedVideo
from videojob.errors import InputContainerInvalid
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.guide import PART_SEGMENTS, IndexExcerpt, VideoGuide
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.video.segments import cut

SEGMENT_MS = 1000
REORDERED = {"x264-params": "bframes=3:b-pyramid=normal"}
OPEN = {"x264-params": "bframes=2:open-gop=1:scenecut=0"}
LONG = Spec(frames=600, gop=25, options=REORDERED)
VP8 = replace(LONG, codec="libvpx", options={"deadline": "realtime"})
HEVC = replace(LONG, codec="libx265", options={"x265-params": "log-level=none:bframes=2"})
FORMATS = [
    ("index_last.mp4", LONG, True),
    ("index_first.mp4", replace(LONG, mux_options={"movflags": "faststart"}), True),
    ("open_groups.mp4", replace(LONG, options=OPEN), True),
    ("hevc.mp4", HEVC, True),
    ("negative.mp4", replace(LONG, mux_options={"movflags": "negative_cts_offsets"}), True),
    ("no_edit_list.mp4", replace(LONG, mux_options={"use_editlist": "0"}), True),
    ("uneven.mp4", replace(LONG, pts=lambda n: n * 512 + (n % 3) * 40), True),
    ("from_a_day.mov", replace(LONG, pts=lambda n: 10_000_000 + n * 512), True),
    ("fragmented.mp4", replace(LONG, mux_options={"movflags": "frag_keyframe+empty_moov"}), False),
    ("clip.mkv", LONG, True),
    ("cues_first.mkv", replace(LONG, mux_options={"reserve_index_space": "20000"}), True),
    ("clip.webm", VP8, True),
    ("clip.ts", LONG, False),
    ("clip.flv", LONG, False),
    ("clip.avi", replace(LONG, codec="mjpeg", pixel_format="yuvj420p"), False),
]
"""Name, what to write, and whether the plan keeps parts of the container's index for it."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=60)
    yield process
    process.close()


def looked_at(decoder: DecoderProcess, path: Path, folder: Path) -> tuple[VideoInfo, tuple[Segment, ...], VideoGuide]:
    """As a planner does."""
    pages = Remote(path).pages(folder / "look", disk_bytes=1 << 24)
    try:
        info = decoder.probe(pages.path, path.name, cut_every_ms=500, pages=pages)
        segments = cut([info], target_ms=SEGMENT_MS)
        cuts = [segment.end_pts for segment in segments if segment.end_pts is not None]
        return info, segments, decoder.guide(pages.path, info, cuts, pages)
    finally:
        pages.close()


def guided(
    decoder: DecoderProcess, pages: PagedVideo, info: VideoInfo, segment: Segment, guide: VideoGuide, sampling: Sampling
) -> object:
    """What a pod gets of a segment."""
    own = guide.of(segment.index)
    if own is not None:
        pages.expect(own.spans)
    frames, report = decode(decoder, request_for(pages.path, info, segment, pages=pages, guide=own, sampling=sampling))
    return [frame.digest for frame in frames], report.gaps, report.frames_decoded


@pytest.mark.parametrize(("name", "spec", "has_index"), FORMATS, ids=[name for name, _, _ in FORMATS])
def test_guided_segments_give_what_the_whole_file_gives(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec, has_index: bool
) -> None:
    path = write_video(tmp_path / name, spec, audio=name in {"index_last.mp4", "clip.mkv"})
    info, segments, guide = looked_at(decoder, path, tmp_path)
    assert info == decoder.probe(path, name, cut_every_ms=500)
    assert len(segments) > 2 * PART_SEGMENTS
    assert [bool(part.index) for part in guide.parts] == [has_index] * -(-len(segments) // PART_SEGMENTS)
    for sampling, some in ((Sampling(), segments), (Sampling(frames_per_second=Fraction(7)), segments[1::5])):
        for segment in some:
            frames, report = decode(decoder, request_for(path, info, segment, sampling=sampling))
            assert frames
            pages = Remote(path).pages(tmp_path / "pod", disk_bytes=1 << 24)
            try:
                found = guided(decoder, pages, info, segment, guide, sampling)
            finally:
                pages.close()
            whole = ([frame.digest for frame in frames], report.gaps, report.frames_decoded)
            assert found == whole, (segment, sampling)


@pytest.mark.parametrize("name", ["index_last.mp4", "index_first.mp4", "clip.mkv"])
def test_a_pod_does_not_read_the_index(decoder: DecoderProcess, tmp_path: Path, name: str) -> None:
    """Of a recording so long that its index outweighs a segment."""
    spec = Spec(frames=300, rate=Fraction(100), size=(16, 16), gop=100, options={"bf": "0", "qp": "51"})
    spec = replace(spec, mux_options={"movflags": "faststart"} if name == "index_first.mp4" else {})
    path = write_repeated(tmp_path / name, spec, 200)
    info, segments, guide = looked_at(decoder, path, tmp_path)
    segment = segments[len(segments) // 2]
    own = guide.of(segment.index)
    assert own is not None
    start, stop = own.spans[-1]
    remote = Remote(path)
    pages = remote.pages(tmp_path / "pod", disk_bytes=1 << 24, ahead_bytes=1 << 20)
    try:
        guided(decoder, pages, info, segment, guide, Sampling(frames_per_second=Fraction(10)))
    finally:
        pages.close()
    opened = sum(stop - start for start, stop in own.spans[:-1])
    # A block more at either end of each stretch.
    assert pages.fetched_bytes <= opened + (stop - start) + 2 * len(own.spans) * pages.block_bytes
    assert pages.fetched_bytes < path.stat().st_size / 20


def test_a_broken_excerpt_is_named(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", LONG)
    info, segments, guide = looked_at(decoder, path, tmp_path)
    own = guide.of(3)
    assert own is not None
    assert own.index is not None
    for bad in ("", "x", own.index.own[:-9], "\x7f", own.index.common):
        broken = replace(own, index=IndexExcerpt(own.index.common, bad))
        pages = Remote(path).pages(tmp_path / "pod")
        try:
            with pytest.raises(InputContainerInvalid, match="part of the index"):
                decode(decoder, request_for(pages.path, info, segments[3], pages=pages, guide=broken))
        finally:
            pages.close()
