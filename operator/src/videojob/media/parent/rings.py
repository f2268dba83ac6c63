"""Keeps the one ring that a runner needs, and makes a new one only when the frames change size."""

from __future__ import annotations

from videojob.media.protocol.ring import FileRing


class RingHolder:
    """One process's current ring."""

    def __init__(self) -> None:
        self._ring: FileRing | None = None

    def ring(self, slots: int, slot_bytes: int) -> FileRing:
        """The current ring when it fits exactly, else a new one in its place."""
        if self._ring is not None and (self._ring.slots, self._ring.slot_bytes) == (slots, slot_bytes):
            return self._ring
        self.close()
        self._ring = FileRing(slots, slot_bytes)
        return self._ring

    def close(self) -> None:
        """Removes the ring's file."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None
