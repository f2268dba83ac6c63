"""How the cases encode: small, fast, the same each time, with edges as sharp as the codec can."""

from __future__ import annotations

from fractions import Fraction

from support.videos import Spec

MS = Fraction(1, 1000)
CAMERA = Fraction(1, 25)
GROUP = 15
"""Pictures from one keyframe to the next."""

H264 = Spec(gop=GROUP, options={"crf": "12", "preset": "veryfast", "x264-params": "scenecut=0:bframes=2:b-adapt=0"})
HEVC = Spec(
    codec="libx265",
    gop=GROUP,
    options={
        "crf": "12",
        "preset": "ultrafast",
        "x265-params": f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:log-level=none:pools=none:frame-threads=1",
    },
)
MPEG2 = Spec(
    codec="mpeg2video", gop=GROUP, options={"bf": "2", "q": "2", "sc_threshold": "1000000000"}, time_base=CAMERA
)
MPEG4 = Spec(codec="mpeg4", gop=GROUP, options={"bf": "2", "q": "2"}, time_base=CAMERA)
MJPEG = Spec(codec="mjpeg", pixel_format="yuvj420p", options={"q": "2"}, time_base=CAMERA)
VP8 = Spec(codec="libvpx", gop=GROUP, options={"cpu-used": "8", "deadline": "realtime", "b": "4000000"}, time_base=MS)
VP9 = Spec(codec="libvpx-vp9", gop=GROUP, options={"cpu-used": "8", "b": "4000000"}, time_base=MS)
FFV1 = Spec(codec="ffv1", gop=GROUP, time_base=MS)
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
