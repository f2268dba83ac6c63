"""Longer clips made of the samples, without encoding again: enough keyframes and seconds for several segments."""

from __future__ import annotations

from pathlib import Path

import av


def looped(source: Path, target: Path, times: int) -> Path:
    """`source` played `times` times in a row; its pictures and keyframes are those of the source."""
    with av.open(str(source)) as first, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(first.streams.video[0])
        offset = 0
        for _ in range(times):
            offset = _append(source, out, stream, offset)
    return target


def _append(source: Path, out: av.container.OutputContainer, stream: av.VideoStream, offset: int) -> int:
    end = offset
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        for packet in container.demux(video):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts += offset
            packet.dts += offset
            end = max(end, packet.pts + (packet.duration or 0))
            packet.stream = stream
            out.mux(packet)
    return end
