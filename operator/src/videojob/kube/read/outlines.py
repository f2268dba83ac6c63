"""VideoJobs as a list's table shows them -> which of them need a reconcile. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.api.schema.crd import FINISHED, OBSERVED, TIME_TO_LIVE
from videojob.planning.state.last_status import seconds_of

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JobOutline:
    """One VideoJob.

    Attributes:
        key: (namespace, name). uid: its own.
        settled: it is over, for the spec that it has now: nothing but the end of its time to live can change it.
        goes_s: when that is, in seconds since the epoch; None when it is kept, or is not settled.
    """

    key: tuple[str, str]
    uid: str
    settled: bool = False
    goes_s: float | None = None


def job_outline(metadata: Object, cells: Mapping[str, Any]) -> JobOutline:
    """A row of the table.

    Columns that are not there, as before the CRD is upgraded, settle nothing. What they tell of the end stands in the
    status, which users may not write.
    """
    key, uid = (str(metadata["namespace"]), str(metadata["name"])), str(metadata["uid"])
    finished, ttl_s = cells.get(FINISHED), cells.get(TIME_TO_LIVE)
    if not finished or "deletionTimestamp" in metadata or cells.get(OBSERVED) != metadata.get("generation"):
        return JobOutline(key, uid)
    return JobOutline(key, uid, True, None if ttl_s is None else seconds_of(str(finished)) + float(ttl_s))


def is_settled(job: Object) -> bool:
    """The same of a whole object."""
    status, metadata = job.get("status") or {}, job["metadata"]
    cells = {FINISHED: status.get("completionTime"), OBSERVED: status.get("observedGeneration")}
    return job_outline(metadata, cells).settled
