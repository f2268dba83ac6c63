"""Longer clips made of the samples, without encoding again: enough keyframes and seconds for several segments."""

from __future__ import annotations

from pathlib import Path

import av


def looped(source: Path, target: Path, times: int, *, slower: int = 1) -> Path:
    """`source` played `times` times in a row, as much slower as said; its pictures and keyframes are the source's."""
    with av.open(str(source)) as first, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(first.streams.video[0])
        offset = 0
        for _ in range(times):
            offset = _append(source, out, stream, offset, slower)
    return target


def _append(source: Path, out: av.container.OutputContainer, stream: av.VideoStream, offset: int, slower: int) -> int:
    end = offset
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        for packet in container.demux(video):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts = packet.pts * slower + offset
            packet.dts = packet.dts * slower + offset
            packet.duration = (packet.duration or 0) * slower
            end = max(end, packet.pts + packet.duration)
            packet.stream = stream
            out.mux(packet)
    return end
