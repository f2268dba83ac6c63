"""What planner and worker pods have in common: how they are stopped, and how they report why they ended."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from videojob.errors import Cancelled, ManifestError, VideoJobError
from videojob.kube.job_file import JobFile, parse_job_file
from videojob.planning.state.ending import Ending
from videojob.ports.clock import Clock
from videojob.worker.pods.batch import ending_of
from videojob.worker.segment.task import unexpected

_LOG = logging.getLogger(__name__)
TERMINATION_LOG = "VIDEOJOB_TERMINATION_LOG"
"""Environment variable: where the termination message goes; Kubernetes' own place by default."""
_DEFAULT_LOG = "/dev/termination-log"
_MOST_BYTES = 4000  # the kubelet keeps 4096
_MARGIN_S = 8.0  # of the grace period, for dropping a segment and ending the processes


@dataclass(slots=True)
class Drain:
    """The stop signal of a pod: what runs may end within the grace period, then it is dropped.

    Attributes:
        grace_s: seconds between the signal and the kill.
        clock: the time.
        asked_at_s: when the signal came, monotonic.
        working: segments are running; before and after, a signal ends the process at once.
        sleep: waits that many seconds.
    """

    grace_s: float
    clock: Clock
    asked_at_s: float | None = None
    working: bool = False
    sleep: Callable[[float], None] = time.sleep

    def install(self) -> None:
        """Takes SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def asked(self) -> bool:
        """Whether nothing new may be begun."""
        return self.asked_at_s is not None

    def over(self) -> bool:
        """Whether what runs must be dropped now."""
        allowed_s = max(0.0, self.grace_s - _MARGIN_S)
        return self.asked_at_s is not None and self.clock.monotonic_s() - self.asked_at_s >= allowed_s

    def check(self) -> None:
        """Raises Cancelled when what runs must be dropped now; for loops that check nothing else, as a download's."""
        if self.over():
            raise Cancelled("stopped by a signal")

    def pause(self, seconds: float) -> None:
        """Waits between two tries of a call; raises Cancelled when there is no time for another one."""
        self.check()
        self.sleep(seconds)
        self.check()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        self.asked_at_s = self.asked_at_s if self.asked_at_s is not None else self.clock.monotonic_s()
        if not self.working:
            raise Cancelled("stopped by a signal")


def read_job_file(path: Path) -> JobFile:
    """The file that the controller wrote.

    Raises:
        ManifestError: it cannot be read, or is something else: controller and pods are of different versions.
    """
    try:
        return parse_job_file(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            f"the job's own file cannot be read: {error}",
            uri=str(path),
            hint="Controller and workers may be of different versions: upgrade the chart as a whole.",
        ) from error


def ended(work: Callable[[], tuple[Ending, VideoJobError | None]]) -> int:
    """Runs a pod's work and tells why it ended, in the log and to Kubernetes.

    Returns:
        The exit code.
    """
    try:
        ending, error = work()
    except VideoJobError as problem:
        ending, error = ending_of(problem), problem
    except Exception as problem:  # noqa: BLE001 - whatever it is, Kubernetes and the user must learn its name
        _LOG.exception("unexpected error")
        ending, error = Ending.FAILED, unexpected(problem)
    if error is None:
        return int(ending)
    _LOG.error(str(error), extra={"reason": error.reason, "exit_code": int(ending)})
    _leave(termination_message(error))
    return int(ending)


def _leave(words: str) -> None:
    """The exit code says what to do next; words that find no place must not change it."""
    place = Path(os.environ.get(TERMINATION_LOG, _DEFAULT_LOG))
    if not place.exists() and TERMINATION_LOG not in os.environ:
        return
    try:
        place.write_text(words, encoding="utf-8")
    except OSError as error:
        _LOG.warning("the termination message could not be written", extra={"error": str(error)})


def termination_message(error: VideoJobError) -> str:
    """The error as JSON that the kubelet keeps whole; texts are cut when they are too long for that."""
    values: dict[str, Any] = error.as_dict()
    text = json.dumps(values)
    for name in ("message", "hint", "uri"):
        surplus = len(text.encode()) - _MOST_BYTES
        if surplus > 0 and values[name]:
            values[name] = str(values[name])[: max(100, len(str(values[name])) - surplus)]
            text = json.dumps(values)
    return text
