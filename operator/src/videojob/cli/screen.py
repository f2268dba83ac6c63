"""Where a command shows its work while it lasts: live in a terminal, plain lines elsewhere, nothing for `--json`.

What it shows is the command's: `cli.display` for runs, `cli.cluster.watch_view` for jobs on a cluster.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from videojob.cli.terminal import tell
from videojob.ports.clock import Clock

_PROGRESS_EVERY_S = 2.0


class Screen:
    """Shows nothing. It may hold the terminal: a context manager."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the terminal back."""

    def notice(self, text: str) -> None:
        """Something that a person should know."""


class Lines(Screen):
    """Shows a line at a time, for logs and pipes."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._next_s = 0.0

    def notice(self, text: str) -> None:
        self.line(text)

    def line(self, text: str) -> None:
        """One line."""
        tell(self._console, text)

    def may_progress(self) -> bool:
        """Whether a line of progress may follow: one in two seconds."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + _PROGRESS_EVERY_S
        return True


class LiveArea(Screen):
    """Redraws a part of the terminal in place; lines stay above it."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def notice(self, text: str) -> None:
        self.line(text, "yellow")

    def line(self, text: str, style: str = "") -> None:
        """One that stays above."""
        tell(self._live.console, text, style)

    def redraw(self, view: RenderableType) -> None:
        """What the area shows from now on."""
        self._live.update(view)
