"""Marks packets of which bytes are missing, and places where whole packets are. Runs in the decoder process only.

A demuxer's mark is not proof: see `continuity`. What it says of the places where nothing tells more is believed.
"""

from __future__ import annotations

from dataclasses import replace

from videojob.media.containers.ts_scrambled import SCRAMBLED, ScrambledPictures, first_byte, packet_bytes
from videojob.media.decoding.continuity import Losses, losses_from
from videojob.media.decoding.corruption import Loss
from videojob.media.files import sniff
from videojob.media.opening.container import Source, VideoPacket

_TORN = "a packet is damaged"
_MISSING = "packets are missing"


class LossMarks:
    """Gives each packet its `Loss`, if there is one; one object for each run of packets.

    Args:
        source: where they come from.
        interval: ticks between two pictures.
        begins_at: when the first picture of the run is presented.
        start: first byte of the part of the file that the run is from.
    """

    def __init__(self, source: Source, interval: int, begins_at: int, start: int = 0) -> None:
        self._source = source
        self._start = start
        self._interval = interval
        self._is_stream = source.demuxer == sniff.MPEG_TS
        # The first packet is looked at, too: its mark is lost where reading does not begin with the file.
        self._is_alert = self._is_first = True
        self._dts_before: int | None = None
        self._last_dts: int | None = None
        self._newest_pts = begins_at - interval
        # What is already known of the next packet, and of the place before it and the one behind it.
        self._next_is_torn = self._is_broken = self._next_is_broken = False
        self._packet_bytes = 0
        self._scrambled: ScrambledPictures | None = None

    def mark(self, packet: VideoPacket, complaint: str | None, *, is_certain: bool = False) -> None:
        """Sets `opaque` of a lossy packet, and `is_corrupt` only where its own bytes are damaged.

        Args:
            packet: the next in decoding order, with its final times.
            complaint: what the demuxer said of damage that it stepped over on the way to it.
            is_certain: pictures are missing there for sure.
        """
        is_hidden, is_scrambled = self._is_scrambled(packet) if self._is_stream else (False, False)
        if self._is_alert or packet.is_corrupt or complaint or is_hidden or is_scrambled:
            self._check(packet, complaint, is_hidden=is_hidden, is_scrambled=is_scrambled)
            if is_certain and isinstance(packet.opaque, Loss):
                packet.opaque = replace(packet.opaque, is_certain=True)
        self._dts_before, self._last_dts = self._last_dts, packet.dts
        pts = packet.pts
        if pts is not None and pts > self._newest_pts:
            self._newest_pts = pts

    def _is_scrambled(self, packet: VideoPacket) -> tuple[bool, bool]:
        """(whether pictures before a packet are scrambled, whether bytes of its own are)."""
        if packet.pos is None or not packet.size:
            return False, False
        video = self._source.video
        if not self._packet_bytes:
            with video.reading() as file:
                self._packet_bytes = packet_bytes(file)
        at = first_byte(self._start + packet.pos, self._packet_bytes)
        if self._scrambled is None:
            self._scrambled = ScrambledPictures(video, at, packet.stream.id, self._packet_bytes)
        return self._scrambled.flags_at(at)

    def _check(self, packet: VideoPacket, complaint: str | None, *, is_hidden: bool, is_scrambled: bool) -> None:
        is_hole = self._is_hole(packet)
        is_missing = complaint or is_hidden or (self._is_broken and is_hole)
        since = self._missing_since(is_hole=is_hole) if is_missing else None
        is_torn = self._next_is_torn or is_scrambled
        self._is_broken, self._next_is_broken, self._next_is_torn = self._next_is_broken, False, False
        if packet.size:
            is_torn = self._own(packet) or is_torn
            self._is_first = False
        self._is_alert = self._is_first or self._is_broken or self._next_is_broken or self._next_is_torn
        if since is None and not is_torn:
            packet.is_corrupt = False
            return
        reason = f"the container is damaged: {complaint}" if complaint else _TORN if is_torn else _MISSING
        if is_hidden or is_scrambled:
            reason = SCRAMBLED
        packet.opaque = Loss(reason, since, is_torn)
        packet.is_corrupt = is_torn

    def _own(self, packet: VideoPacket) -> bool:
        """Whether bytes of the packet are missing; notes what is known of the next."""
        if not self._is_stream:
            return packet.is_corrupt
        losses = self._losses(packet)
        if losses is None:
            self._next_is_torn = packet.is_corrupt
            return packet.is_corrupt
        self._next_is_torn = 1 in losses.torn
        self._is_broken = self._is_broken or 0 in losses.broken_behind
        self._next_is_broken = 1 in losses.broken_behind
        return 0 in losses.torn

    def _losses(self, packet: VideoPacket) -> Losses | None:
        if packet.pos is None:
            return None
        with self._source.video.reading() as file:
            length, _ = sniff.ts_layout(file.read(sniff.HEAD_BYTES)) or (1, 0)
            return losses_from(file, self._start + packet.pos, length, 2 if packet.is_corrupt else 1)

    def _is_hole(self, packet: VideoPacket) -> bool:
        if packet.dts is None or self._last_dts is None:
            return False
        step = self._interval if self._dts_before is None else max(self._interval, self._last_dts - self._dts_before)
        return 2 * (packet.dts - self._last_dts) > 3 * step

    def _missing_since(self, *, is_hole: bool) -> int:
        """The earliest time of a picture that may be missing: none is presented before it is decoded."""
        before = self._last_dts if is_hole and self._last_dts is not None else self._newest_pts
        return before + self._interval
