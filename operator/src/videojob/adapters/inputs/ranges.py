"""Parts of a remote object, read under the pin of the whole: what S3 and http share where a video is not copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from videojob.adapters.inputs.transfer import Pace, TransferPolicy
from videojob.errors import InputUnavailable

OpenRange = Callable[[int, int], AbstractContextManager[Iterator[bytes]]]
"""(start, stop) to the object's bytes in between, in pieces as they come; from any thread.

Raises InputChanged when the object is another by now, InputUnavailable when another try may help, any other InputError
or SetupError when none does.
"""


@dataclass(frozen=True, slots=True)
class RangedObject:
    """An object that is read in parts.

    Attributes:
        uri: of the object, for messages.
        version: what pins its content.
        size_bytes: of all of it.
        open_range: see `OpenRange`.
    """

    uri: str
    version: str
    size_bytes: int
    open_range: OpenRange


def read_range(found: RangedObject, start: int, stop: int, policy: TransferPolicy) -> bytearray:
    """The bytes `[start, stop)`, going on where a transfer broke.

    Raises:
        InputChanged: the object was replaced.
        InputUnavailable: no new byte in `policy.attempts` tries, or too slow.
        InputError, SetupError: what no further try helps against.
    """
    data = bytearray()
    pace = Pace(found.uri, policy)
    policy.retrying(lambda: len(data))(_receive, found, start, stop, data, pace)
    return data


def _receive(found: RangedObject, start: int, stop: int, data: bytearray, pace: Pace) -> None:
    with found.open_range(start + len(data), stop) as pieces:
        for piece in pieces:
            pace.check(len(piece))
            data += piece
            if len(data) > stop - start:
                raise InputUnavailable("the server sent more bytes than requested", uri=found.uri, retryable=False)
    if len(data) < stop - start:
        raise InputUnavailable(f"the transfer ended {stop - start - len(data):,} bytes early", uri=found.uri)
