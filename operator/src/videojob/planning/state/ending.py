"""Exit codes of planner and worker pods: the pods end with them, their Jobs' rules and the decisions read them.

Running Jobs carry the numbers in their `podFailurePolicy`, so they never change.
"""

from __future__ import annotations

from enum import IntEnum


class Ending(IntEnum):
    """How a pod ended; `kube.render.jobs` tells Kubernetes what each means."""

    SETTLED = 0
    FAILED = 1
    """Another pod is to try what was left open: it counts as one failure of the index."""
    HOPELESS = 64
    """Nothing can help this job: it fails as a whole."""
    EXHAUSTED = 65
    """The last pod met what no video is to blame for: its index fails, and the job with it."""
    STOPPED = 75
    """Asked to stop, or the server went away: nobody's fault, it does not count."""
