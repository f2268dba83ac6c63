"""What one row of the table of reasons holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What kind of state a reason stands for, and with it the status of the `Succeeded` condition."""

    WAITING = "Unknown: it waits"
    WORKING = "Unknown: it works"
    SUCCEEDED = "True: it ended well"
    FAILED = "False: it ended badly"


class Where(Enum):
    """Where a job runs: advice that is right in one place can be false in the other."""

    MACHINE = "on one machine"
    CLUSTER = "on a cluster"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Attributes:
        word: stable CamelCase word; scripts may test for it.
        phase: what kind of state it is.
        meaning: one sentence.
        machine: what to do about it on one machine, where a rerun keeps finished segments.
        cluster: what to do about it on a cluster, where a failed VideoJob can be resumed.
        retryable: whether the same again can help.
        details: Markdown for the troubleshooting guide alone: usual causes and commands.
    """

    word: str
    phase: Phase
    meaning: str
    machine: str
    cluster: str
    retryable: bool = False
    details: str = ""

    def advice(self, where: Where) -> str:
        """What to do about it there."""
        return self.machine if where is Where.MACHINE else self.cluster


ONLY_ON_A_CLUSTER = "It occurs only on a cluster."
ONLY_ON_ONE_MACHINE = "It occurs only on one machine."
NOTHING = "Do nothing: the progress column shows how far it is."
RERUN = "Run it again: finished segments are kept."
RESUME = "Then resume the VideoJob (`videojob resume NAME`): finished segments are kept."

RESUME_OR_CREATE = (
    "If the VideoJob failed, resume it (`videojob resume NAME`): finished segments are kept. If it ended "
    "PartiallyCompleted, create a new one with this video alone."
)


def waiting(word: str, meaning: str, cluster: str, details: str = "") -> Reason:
    """A row for a job that waits, which a status shows, so on a cluster only."""
    return Reason(word, Phase.WAITING, meaning, ONLY_ON_A_CLUSTER, cluster, details=details)


def working(word: str, meaning: str) -> Reason:
    """A row for a job that works, which a status shows, so on a cluster only."""
    return Reason(word, Phase.WORKING, meaning, ONLY_ON_A_CLUSTER, NOTHING)


def failed(
    word: str, meaning: str, *, machine: str, cluster: str, retryable: bool = False, details: str = ""
) -> Reason:
    """A row for a job, a video or a command that failed."""
    return Reason(word, Phase.FAILED, meaning, machine, cluster, retryable, details)
