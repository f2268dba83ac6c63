"""Which of our functions one reconcile passes through: from the moment that its key leaves the queue to its last write
to the API server.

What lies behind a port is not counted: the test's cluster, table and clock stand there. A comprehension counts as part
of its function; a lambda, a property and a nested function count for themselves.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import videojob

_OURS = str(Path(videojob.__file__).parent) + "/"
_COMPREHENSION = re.compile(r"\.<locals>\.<(listcomp|setcomp|dictcomp|genexpr)>")


@dataclass(slots=True)
class ReconcilePath:
    """What was entered, as "file:function", in the order of the first time.

    Attributes:
        pops: functions that take a key from the queue; the path begins when one returns it.
        writes: functions that write to the API server.
        until_write: what was entered before the last of these writes.
    """

    pops: frozenset[CodeType]
    writes: frozenset[CodeType]
    until_write: tuple[str, ...] = ()
    _entered: dict[str, None] = field(default_factory=dict)
    _threads: set[int] = field(default_factory=set)

    @property
    def files(self) -> tuple[str, ...]:
        """In which the functions are."""
        return tuple(dict.fromkeys(one.partition(":")[0] for one in self.until_write))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Records this thread, and all threads that start meanwhile."""
        sys.setprofile(self._profile)
        threading.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, result: Any) -> None:
        code = frame.f_code
        if event == "return" and code in self.pops and result is not None:
            self._enter_all(frame)
        elif event == "call" and self._threads:
            if code in self.writes:
                self.until_write = tuple(self._entered)
            self._enter_all(frame)

    def _enter_all(self, frame: FrameType) -> None:
        """A function; of a thread that is new to the path also those that are under way in it."""
        thread = threading.get_ident()
        under_way: FrameType | None = frame
        while under_way is not None:
            self._enter(under_way.f_code)
            under_way = None if thread in self._threads else under_way.f_back
        self._threads.add(thread)

    def _enter(self, code: CodeType) -> None:
        if code.co_filename.startswith(_OURS):
            name = _COMPREHENSION.sub("", code.co_qualname)
            self._entered[f"{code.co_filename.removeprefix(_OURS)}:{name}"] = None
