"""The messages between the parent and its decoder process: one JSON object per line, both ways, never a pickle.

Parent to child (stdin):
    {"op": "probe", "run", "path", "pages", "uri", "cut_every_ms"}
    {"op": "guide", "run", "path", "pages", "info", "cuts"}
    {"op": "open", "path", "pages", "index", "before_pts", "info", "segment", "sampling", "geometry", "colour",
     "pad_value", "skip_corrupt", "ring": {"slots", "slot_bytes"}, "run"}
    {"op": "filled", "run"}                      the block that was needed is there
    {"op": "release", "run", "slots": [n, ...]}
    {"op": "drop", "run"}                        the frames of that run are no longer wanted
The ring's file comes on a socket of its own, opened, before each "open": the child can open nothing to write.
"pages" is null for a whole file, else {"path", "presence", "size_bytes", "block_bytes"}, see `video_file.Pages`.
"index" is null when the container's own is read, else {"common", "own"}, see `video.guide.IndexExcerpt`.
Child to parent (stdout):
    {"ready": true}                              once, when it has entered its sandbox
    {"run", "info": {...}}                       the answer to probe
    {"run", "guide": {..., "parts": [...]}}      the answer to guide
    {"run", "frames": [[pts, slot or null], ...]}
    {"run", "beat": n}                           still decoding, n packets so far
    {"run", "need": block, "blocks": n}          a missing block of a paged file: goes on when it is filled; n blocks
                                                 from there on are sure to be read
    {"run", "at": block}                         reading has come to a block that was there
    {"run", "report": {...}}                     the end of a segment
    {"run", "error": {...}}                      the end of a probe or segment: `VideoJobError.as_dict`, of those in
                                                 `CHILD_ERRORS`; `uri` and `segment` are the parent's to say
    {"run", "dropped": true}                     the end of a segment that was dropped
`run` counts probes and segments, so that late words about a dropped one are told apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from videojob import errors
from videojob.errors import InputError
from videojob.media.protocol.messages import DecodeGap, DecodeReport, DecodeRequest, PagedSource
from videojob.video.guide import VideoGuide, guide_from_dict, part_from_dict
from videojob.video.info import Gate, Sampling, Segment, video_info_from_dict
from videojob.vision.tensors import Geometry

Message = dict[str, Any]

CHILD_ERRORS: tuple[type[InputError], ...] = (
    errors.DecodeTimeout,
    errors.DecoderCrashed,
    errors.FormatNotAllowed,
    errors.InputContainerInvalid,
    errors.InputCorrupt,
    errors.InputEncrypted,
    errors.InputNotFound,
    errors.InputNotVideo,
    errors.InputUnavailable,
    errors.NoFrames,
    errors.NoVideoStream,
    errors.ResolutionLimitExceeded,
)
"""What a decoder can find out about a video. Whatever else is wrong with a job, a file's bytes are not to say so."""

_BY_REASON = {kind.reason: kind for kind in CHILD_ERRORS}
_MOST_CHARACTERS = 2000
_SHOWN_CHARACTERS = 300


class NotItsToSay(Exception):
    """The child reports what no decoder can know; the text has its words."""


def encode(message: Message) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line; raises ValueError on anything that is not an object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")
    return message


def request_to_message(request: DecodeRequest) -> Message:
    """The JSON-able form of a request."""
    sampling = request.sampling
    guide = request.guide
    rate = sampling.frames_per_second
    return {
        "path": str(request.path),
        "pages": pages_to_message(request.pages),
        "index": _index_to_message(request),
        "before_pts": None if guide is None else guide.before_pts,
        "info": request.info.as_dict(),
        "segment": asdict(request.segment),
        "sampling": {
            "frames_per_second": None if rate is None else str(rate),
            "every_nth_frame": sampling.every_nth_frame,
            "keyframes_only": sampling.keyframes_only,
            "gate": None if sampling.gate is None else asdict(sampling.gate),
        },
        "geometry": asdict(request.geometry),
        "colour": request.colour,
        "pad_value": request.pad_value,
        "skip_corrupt": request.skip_corrupt,
    }


def _index_to_message(request: DecodeRequest) -> Message | None:
    guide = request.guide
    if request.pages is None or guide is None or guide.index is None:
        return None
    return {"common": guide.index.common, "own": guide.index.own}


def guide_to_message(guide: VideoGuide) -> Message:
    """The JSON-able form of a guide with its parts."""
    return guide.as_dict() | {"parts": [part.as_dict() for part in guide.parts]}


def guide_from_message(message: Message) -> VideoGuide:
    """The inverse of `guide_to_message`; raises KeyError, TypeError or ValueError on anything else."""
    return guide_from_dict(message).with_parts([part_from_dict(part) for part in message["parts"]])


def pages_to_message(pages: PagedSource | None) -> Message | None:
    """Where a paged file lies, JSON-able; None for a whole file."""
    if pages is None:
        return None
    return {
        "path": str(pages.path),
        "presence": str(pages.presence),
        "size_bytes": pages.size_bytes,
        "block_bytes": pages.block_bytes,
    }


def request_from_message(message: Message) -> DecodeRequest:
    """The inverse of `request_to_message`, but for `pages` and `guide`: the child has a view of its own of them.

    Raises:
        KeyError, TypeError, ValueError: it is no such message.
    """
    sampling = message["sampling"]
    rate, gate = sampling["frames_per_second"], sampling["gate"]
    colour: Literal["RGB", "BGR"] = "BGR" if message["colour"] == "BGR" else "RGB"
    return DecodeRequest(
        path=Path(message["path"]),
        info=video_info_from_dict(message["info"]),
        segment=Segment(**message["segment"]),
        sampling=Sampling(
            frames_per_second=None if rate is None else Fraction(rate),
            every_nth_frame=sampling["every_nth_frame"],
            keyframes_only=bool(sampling["keyframes_only"]),
            gate=None if gate is None else Gate(**gate),
        ),
        geometry=Geometry(**message["geometry"]),
        colour=colour,
        pad_value=int(message["pad_value"]),
        skip_corrupt=bool(message["skip_corrupt"]),
    )


def error_from_message(values: Mapping[str, Any], uri: str) -> InputError:
    """The error that the child reports, as far as it can know one.

    It is retryable only where the reason says so: the child can deny that, and not claim it.

    Args:
        values: its "error".
        uri: what it was working on.

    Raises:
        NotItsToSay: it is not one of `CHILD_ERRORS`.
        AttributeError, TypeError: it is no error at all.
    """
    reason, message, time_ms = str(values.get("reason")), str(values.get("message", "")), values.get("time_ms")
    kind = _BY_REASON.get(reason)
    if kind is None:
        raise NotItsToSay(f"{reason}: {message}"[:_SHOWN_CHARACTERS])
    if not (time_ms is None or type(time_ms) is int):
        raise TypeError("a time is a whole number")
    return kind(
        message[:_MOST_CHARACTERS],
        uri=uri,
        time_ms=time_ms,
        hint=str(values.get("hint") or "")[:_MOST_CHARACTERS] or None,
        retryable=False if values.get("retryable") is False else None,
    )


def report_to_message(report: DecodeReport) -> Message:
    """The JSON-able form of a report."""
    return asdict(report)


def report_from_message(message: Message) -> DecodeReport:
    """The inverse of `report_to_message`; raises KeyError, TypeError or ValueError on anything else."""
    values = dict(message)
    values["gaps"] = tuple(DecodeGap(**gap) for gap in values["gaps"])
    return DecodeReport(**values)
