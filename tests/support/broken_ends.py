"""Files whose end, or a piece of whose structure, is lost: made on the spot from small sound ones."""

from __future__ import annotations

import random
from collections.abc import Callable

Damage = Callable[[bytes], bytes]


def boxes(data: bytes, kind: bytes) -> list[tuple[int, int]]:
    """(start, end) of the outermost boxes of a kind in an MP4."""
    found, at = [], 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == kind:
            found.append((at, at + length))
        at += length
    return found


def last_media_cut(data: bytes) -> bytes:
    """The last fragment's media end in their middle, and the file with them."""
    start, end = boxes(data, b"mdat")[-1]
    return data[: (start + end) // 2]


def last_media_short(data: bytes) -> bytes:
    """The same, but their box says that it is whole."""
    start, end = boxes(data, b"mdat")[-1]
    middle = (start + end) // 2
    return data[:start] + (middle - start).to_bytes(4, "big") + data[start + 4 : middle]


def last_media_gone(data: bytes) -> bytes:
    """The last fragment has a head and no media."""
    return data[: boxes(data, b"mdat")[-1][0]]


def last_media_empty(data: bytes) -> bytes:
    """The last fragment's box of media holds none."""
    return data[: boxes(data, b"mdat")[-1][0]] + (8).to_bytes(4, "big") + b"mdat"


def head_zeroed(data: bytes) -> bytes:
    """The fourth fragment has no head."""
    start, end = boxes(data, b"moof")[3]
    return data[:start] + bytes(end - start) + data[end:]


def head_unknown(data: bytes) -> bytes:
    """The fourth fragment's head has another name."""
    start, _ = boxes(data, b"moof")[3]
    return data[: start + 4] + b"xxxx" + data[start + 8 :]


def junk_between(data: bytes) -> bytes:
    """Something that is no box before the fourth fragment."""
    start, _ = boxes(data, b"moof")[3]
    return data[:start] + b"\xff\xfe\x12\x34junk" * 50 + data[start:]


def media_too_long(data: bytes) -> bytes:
    """The third fragment's media claim all the rest of the file, and more."""
    start, _ = boxes(data, b"mdat")[2]
    return data[:start] + b"\x7f\xff\xff\xff" + data[start + 4 :]


def tail_zeroed(data: bytes) -> bytes:
    """The second half is zeros."""
    half = len(data) // 2
    return data[:half] + bytes(len(data) - half)


def tail_random(data: bytes) -> bytes:
    """The second half is noise."""
    half = len(data) // 2
    return data[:half] + random.Random(3).randbytes(len(data) - half)


def headless(data: bytes) -> bytes:
    """The first bytes are zeros."""
    return bytes(320) + data[320:]


def cut_at(share: float) -> Damage:
    """The first part of it."""
    return lambda data: data[: int(len(data) * share)]


def pages(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of the pages of an Ogg."""
    found, at = [], 0
    while at < len(data):
        lengths = data[at + 27 : at + 27 + data[at + 26]]
        found.append((at, at + 27 + len(lengths) + sum(lengths)))
        at = found[-1][1]
    return found


def last_page_cut(data: bytes) -> bytes:
    """An Ogg that ends in the middle of its last page."""
    start, end = pages(data)[-1]
    return data[: (start + end) // 2]


def last_page_head_cut(data: bytes) -> bytes:
    """An Ogg that ends within the head of its last page."""
    return data[: pages(data)[-1][0] + 10]


def page_gone(data: bytes) -> bytes:
    """An Ogg without its page before the last, as where a transfer lost it."""
    start, end = pages(data)[-2]
    return data[:start] + data[end:]


def without_pages(count: int) -> Damage:
    """An Ogg whose last pages are lost, to the byte."""
    return lambda data: data[: pages(data)[-count][0]]
