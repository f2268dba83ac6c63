"""What is said over the pipes comes back as it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from support.video_values import video_info
from videojob.media.protocol import lines as protocol
from videojob.media.protocol.messages import DecodeGap, DecodeReport, DecodeRequest
from videojob.video.info import Gate, Sampling, Segment
from videojob.vision.tensors import Geometry

SAMPLINGS = [
    Sampling(),
    Sampling(frames_per_second=Fraction(30000, 1001)),
    Sampling(every_nth_frame=7, gate=Gate(2.5, 1000)),
    Sampling(keyframes_only=True),
]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_request_survives_the_pipe(sampling: Sampling) -> None:
    request = DecodeRequest(
        path=Path("/videos/ä b.mp4"),
        info=video_info(cut_pts=(1, 2), frame_rate=None, sample_aspect=Fraction(4, 3)),
        segment=Segment(3, 1, None, 90_000),
        sampling=sampling,
        geometry=Geometry(640, 360, 320, 192, 0.5, 0.5, 0, 6),
        colour="BGR",
        pad_value=114,
        skip_corrupt=True,
    )
    line = protocol.encode(protocol.request_to_message(request))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert protocol.request_from_message(protocol.decode(line)) == request


def test_a_report_survives_the_pipe() -> None:
    gaps = (DecodeGap(10, 20, "a"), DecodeGap(30, 40, "b"))
    report = DecodeReport(5, 4, 3, None, 120, gaps, 0.25, 1 << 30)
    assert protocol.report_from_message(protocol.decode(protocol.encode(protocol.report_to_message(report)))) == report


@pytest.mark.parametrize("line", [b"", b"[1]", b"3", b"{", b"\xff\xfe", b"nonsense"])
def test_nonsense_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's and Unicode's errors are kinds of it, with words of their own
        protocol.decode(line)
