"""Pages of an Ogg that a demuxer stepped over or did not come to. Runs in the decoder process only.

Every page says which stream it belongs to, which of its pages it is, whether the stream begins or ends with it, and how
long it is; FFmpeg goes by none of it. So heads of pages are read along with the demuxer, never the media.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MARK = b"OggS"
_HEAD_BYTES = 27
_MOST_PAGE_BYTES = _HEAD_BYTES + 255 + 255 * 255
_FIRST, _LAST = 2, 4
_MASK = (1 << 32) - 1

CUT_SHORT = "the file ends within a page"
MISSING = "pages are missing"
NOT_ENDED = "the file's last page is not marked as the end of a stream: pages behind it may be missing"


@dataclass(frozen=True, slots=True)
class Page:
    """A page's head.

    Attributes:
        at, end: where the page lies in the file; the end may lie behind the file's.
        stream, number: whose page it is, and which one.
        is_first, is_last: whether the stream begins, or ends, with it.
        is_open: its last packet goes on in the next page.
    """

    at: int
    end: int
    stream: int
    number: int
    is_first: bool
    is_last: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """What stands between two places.

    Attributes:
        document_at: where another document begins; None when none does.
        last: the stream's last page before that.
        reason: why pages of the stream are missing; empty when none are.
    """

    document_at: int | None
    last: Page
    reason: str


def page_at(file: BinaryIO, at: int) -> Page | None:
    """The page that begins at a place; None when none does, or its head is not whole."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(_MARK):
        return None
    lengths = file.read(head[26])
    if len(lengths) < head[26]:
        return None
    stream, number = (int.from_bytes(head[place : place + 4], "little") for place in (14, 18))
    end = at + _HEAD_BYTES + len(lengths) + sum(lengths)
    is_open = lengths[-1:] == b"\xff"
    return Page(at, end, stream, number, bool(head[5] & _FIRST), bool(head[5] & _LAST), is_open)


def stretch(file: BinaryIO, page: Page, stop: int) -> Stretch:
    """What follows a page of a stream, of all pages that begin before a place."""
    last, reason = page, ""
    for other in _pages(file, page.end, stop):
        if other.is_first:
            return Stretch(other.at, last, reason)
        if other.stream == page.stream:
            if other.number != (last.number + 1) & _MASK:
                reason = MISSING
            last = other
    return Stretch(None, last, reason)


def unread_at_end(file: BinaryIO, last: Page, size: int) -> str:
    """Why pages of a stream are missing behind its last one; empty when none are known to be."""
    end, final = last.end, last
    for page in _pages(file, last.end, size):
        end, final = page.end, page
    if final.end > size and final.stream == last.stream:
        return CUT_SHORT
    file.seek(min(end, size))
    rest = file.read(_HEAD_BYTES + 255)
    if rest and (rest.startswith(_MARK) or _MARK.startswith(rest)) and page_at(file, end) is None:
        return CUT_SHORT
    if last.is_open or (not last.is_last and final.is_last):
        return MISSING
    return ""


def notices(file: BinaryIO, size: int) -> tuple[str, ...]:
    """A sentence about a file whose last page is whole and is not the end of a stream."""
    start = max(0, size - 2 * _MOST_PAGE_BYTES)
    final = None
    for page in _pages(file, start, size):
        final = page
    return (NOT_ENDED,) if final is not None and final.end == size and not final.is_last else ()


def _pages(file: BinaryIO, start: int, stop: int) -> Iterator[Page]:
    """The pages that begin between two places."""
    at: int | None = start
    while at is not None and at < stop:
        page = page_at(file, at)
        if page is None:
            at = _next_mark(file, at + 1, stop)
            continue
        yield page
        at = page.end


def _next_mark(file: BinaryIO, start: int, stop: int) -> int | None:
    at = start
    while at < stop:
        file.seek(at)
        data = file.read(min(_MOST_PAGE_BYTES, stop + len(_MARK) - at))
        found = data.find(_MARK)
        if found >= 0:
            return at + found
        at += max(1, len(data) - len(_MARK) + 1)
    return None
