"""Bringing inputs to local files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from videojob.media.protocol.messages import PagedSource


@dataclass(frozen=True, slots=True)
class Paging:
    """How a video is brought here block by block.

    Attributes:
        disk_bytes: most that its blocks take here; two blocks at least.
        block_bytes: least that is fetched: larger wastes more where little is read, smaller is asked for more often.
        ahead_bytes: most that is fetched before it is asked for.
        readers: requests side by side.
        request_bytes: most of one request: neighbouring blocks that are wanted come together.
    """

    disk_bytes: int
    block_bytes: int = 256 << 10
    ahead_bytes: int = 32 << 20
    readers: int = 4
    request_bytes: int = 4 << 20


class InputFetcher(Protocol):
    """Brings one kind of input to a local regular file."""

    def fetch(self, uri: str, version: str | None, folder: Path) -> FetchedInput:
        """Downloads unless it is there. Raises InputError subclasses."""
        ...

    def page(self, uri: str, version: str | None, folder: Path, paging: Paging) -> FetchedInput | None:
        """The input with nothing of it here yet: `pages` bring what is read, into a new folder in `folder`.

        None when it can only be had whole. Raises InputError subclasses.
        """
        ...


@dataclass(frozen=True, slots=True)
class FetchedInput:
    """A local copy.

    Attributes:
        uri: as named. path: local regular file.
        version: what pins the content: S3 version or ETag, http ETag, or a fingerprint of the file.
        name: what the user calls it; "" when the manifest gives no name.
        pages: what fills the file as it is read, to be closed by whoever asked for it; None when it is whole.
    """

    uri: str
    path: Path
    version: str
    name: str = ""
    pages: PagedSource | None = None
