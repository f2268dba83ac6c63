"""What is refused, each with its own error: encrypted video, headers that lie, formats of others."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream

from bench.odd_videos.cases import Case, Refused
from bench.odd_videos.kinds.codecs import H264, MPEG2
from bench.odd_videos.scene import clip, shown
from support import bad_videos as bad
from support import forged_videos as forged
from support import protected_videos as protected
from support.videos import Spec, configure, encoder_options, pictures, write_video

_SECRET, _LIARS, _FOREIGN = "encrypted video", "headers that lie", "formats of others"


def _encrypted(words: str) -> Refused:
    return Refused("InputEncrypted", (words,))


def _liar(words: str) -> Refused:
    return Refused("InputContainerInvalid", (words,))


def _foreign(*words: str) -> Refused:
    return Refused("InputNotVideo", words)


def _long_duration(path: Path) -> object:
    """A header that declares a duration of days."""
    data = write_video(path, clip(H264)).read_bytes()
    header, _ = bad.box(data, b"moov", b"trak", b"mdia", b"mdhd")
    return bad.patched(path, data, header + 24, (0x7FFFFFFF).to_bytes(4, "big"))


def _as(form: str, spec: Spec) -> Callable[[Path], object]:
    """A video in a container of FFmpeg's by this name."""

    def make(path: Path) -> object:
        own = clip(spec, frames=25)
        with av.open(str(path), "w", format=form) as container:
            stream = cast("VideoStream", container.add_stream(own.codec, rate=own.rate, options=encoder_options(own)))
            configure(stream, own)
            for frame in [*pictures(own), None]:
                container.mux(stream.encode(frame))
        return path

    return make


def _dahua(path: Path) -> object:
    """Frames as Dahua's recorders write them: a head of 24 bytes, the data, a tail."""
    data = b"DHAV\xfd\x00\x01\x00" + bytes(16) + bytes(200) + b"dhav" + (232).to_bytes(4, "little")
    return path.write_bytes(data * 8)


_PROGRAM_STREAM = _as("vob", MPEG2)

CASES = (
    Case(
        _SECRET,
        "cenc.mp4",
        "Common Encryption in fragments",
        protected.fragmented_encryption,
        _encrypted("MP4 protection, scheme cenc"),
    ),
    Case(_SECRET, "aes.webm", "AES over VP8", protected.encrypted_vp8, _encrypted("Matroska ContentEncryption, AES")),
    Case(
        _SECRET,
        "scrambled.ts",
        "a scrambled broadcast",
        protected.scrambled,
        _encrypted("transport_scrambling_control"),
    ),
    Case(_SECRET, "sample_aes.ts", "SAMPLE-AES of HLS", protected.sample_aes, _encrypted("SAMPLE-AES")),
    Case(
        _LIARS,
        "samples.mp4",
        "80 million samples",
        forged.samples_of_one_size,
        _liar("80000000 samples in its stsz table"),
    ),
    Case(_LIARS, "run.mp4", "a fragment with 80 million samples", forged.run_of_a_fragment, _liar("80000000")),
    Case(
        _LIARS,
        "size.mkv",
        "pictures of 100,000 x 100,000",
        bad.huge_in_matroska,
        Refused("ResolutionLimitExceeded", ("100000",)),
    ),
    Case(_LIARS, "duration.mp4", "a duration of days", _long_duration, shown()),
    Case(
        _FOREIGN,
        "dvd.mpg",
        "an MPEG program stream",
        _PROGRAM_STREAM,
        _foreign("MPEG program stream", "ffmpeg -fflags +genpts -i dvd.mpg"),
    ),
    Case(
        _FOREIGN,
        "windows.wmv",
        "Windows Media",
        _as("asf", Spec(codec="wmv2", time_base=Fraction(1, 25))),
        _foreign("Windows Media", "ffmpeg -i windows.wmv"),
    ),
    Case(
        _FOREIGN,
        "animation.gif",
        "an animation",
        _as("gif", Spec(codec="gif", pixel_format="rgb8", time_base=Fraction(1, 100))),
        _foreign("GIF", "ffmpeg -i animation.gif"),
    ),
    Case(
        _FOREIGN, "recorder.dav", "a recording of Dahua's", _dahua, _foreign("Dahua", "ffmpeg -f dhav -i recorder.dav")
    ),
)
