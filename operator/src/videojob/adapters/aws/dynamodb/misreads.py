"""Items that are not what this project writes become a SinkError, wherever they are met.

Whoever may write to a table, or to his part of one, can put anything there: that must end a read with a word, and never
the loop of whoever reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from videojob.errors import SinkError


class _Store(Protocol):
    @property
    def _store(self) -> str: ...


S = TypeVar("S", bound=_Store)
P = ParamSpec("P")
T = TypeVar("T")


def reads(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Of a method that returns what it read."""

    @wraps(method)
    def read(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with _understood(self, args):
            return method(self, *args, **kwargs)

    return read


def reads_each(method: Callable[Concatenate[S, P], Iterator[T]]) -> Callable[Concatenate[S, P], Iterator[T]]:
    """Of a method that gives what it reads piece by piece."""

    @wraps(method)
    def read(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        with _understood(self, args):
            pieces = method(self, *args, **kwargs)
        while True:
            with _understood(self, args):
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
            yield piece

    return read


@contextmanager
def _understood(store: _Store, about: tuple[Any, ...]) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        uid = getattr(about[0], "uid", about[0]) if about else "a job"
        words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise SinkError(
            f"the table holds an item of {uid} that is not as this program writes it: {words}",
            uri=store._store,  # noqa: SLF001 - both are parts of one adapter
            hint="Another program or version wrote it: delete that job's items, and create the job again.",
        ) from error
