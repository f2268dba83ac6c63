"""The status of a VideoJob, from what was decided: PURE. Its form is `api.status`; a test validates it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from fractions import Fraction
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.attempts import is_resumed
from videojob.planning.placement.plan.units import dollars
from videojob.planning.state.desired import Desired, ProgressDesired
from videojob.planning.state.observed import Observed
from videojob.planning.state.placement import Estimate, Place, ServerKey
from videojob.planning.state.stall import NO_STALL, Stall
from videojob.reasons import REASONS

_MOST_CHARACTERS = 4000
_MICRO = Decimal("0.000001")
_MOST_SEEN_S = 30 * 86_400


def timestamp(now_s: float) -> str:
    """A time as Kubernetes writes it, in whole seconds."""
    return datetime.fromtimestamp(int(now_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status_of(
    job: VideoJob,
    desired: Desired,
    observed: Observed,
    *,
    installation: Installation,
    table: str,
    summary_key: str,
    now_s: float,
) -> dict[str, Any]:
    """The whole status to store.

    Args:
        job: as it is stored; its status keeps what only it knows, as when a condition last changed.
        desired: what was decided.
        observed: what it was decided from.
        installation: for the size of a server.
        table: that holds the results.
        summary_key: of the summary there, once there is one.
        now_s: seconds since the epoch.
    """
    before = {} if job.status is None else job.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    generation = job.metadata.generation or 0
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": _conditions(before, desired, generation, now_s),
        "message": _cut(desired.message),
    }
    status |= _course(job, before, desired, now_s)
    if observed.results is not None and observed.results.epoch:
        status["epoch"] = observed.results.epoch
    elif "epoch" in before:
        status["epoch"] = before["epoch"]
    conflicts = max(before.get("conflictingSegments", 0), 0 if observed.results is None else observed.results.conflicts)
    if conflicts:
        status["conflictingSegments"] = conflicts
    status |= _figures(before, desired, observed, now_s)
    if desired.stall != NO_STALL and not desired.ended:
        status["stall"] = _stall(desired.stall)
    status |= _place(before, desired, observed, installation)
    if observed.results is not None and observed.results.finished is not None:
        status["results"] = {"table": table, "summaryKey": summary_key}
    elif "results" in before:
        status["results"] = before["results"]
    status["columns"] = _columns(status)
    return status


def _course(job: VideoJob, before: Mapping[str, Any], desired: Desired, now_s: float) -> dict[str, Any]:
    """When the job began, was resumed and ended."""
    found: dict[str, Any] = {}
    resumed = is_resumed(job)
    if desired.started or "startTime" in before:
        found["startTime"] = before.get("startTime", timestamp(now_s))
    if desired.ended:
        found["completionTime"] = timestamp(now_s) if resumed else before.get("completionTime", timestamp(now_s))
    if job.spec.resumes:
        found["resumes"] = job.spec.resumes
    if resumed or "resumeTime" in before:
        found["resumeTime"] = timestamp(now_s) if resumed else before["resumeTime"]
    return found


def unreadable_status(raw: Mapping[str, Any], words: str, now_s: float) -> dict[str, Any]:
    """The status of a VideoJob that this version cannot read: as it was, but that it says so. An end stays an end.

    Args:
        raw: the object, as the API server gives it.
        words: what is wrong with it.
        now_s: seconds since the epoch.
    """
    before = dict(raw.get("status") or {})
    if "completionTime" in before:
        return before
    info = REASONS["InvalidManifest"]
    message = f"this controller cannot read the VideoJob: {words}. CRD and controller are of different versions: "
    message = _cut(f"{message}upgrade the chart's release with its CRD.")
    known = [one for one in before.get("conditions", ()) if isinstance(one, Mapping)]
    old = next((one for one in known if one.get("type") == "Succeeded"), {})
    said = {
        "type": "Succeeded",
        "status": "Unknown",
        "reason": info.word,
        "message": message,
        "lastTransitionTime": old["lastTransitionTime"] if old.get("status") == "Unknown" else timestamp(now_s),
        "observedGeneration": int(raw["metadata"].get("generation", 0)),
    }
    others = [one for one in known if one.get("type") != "Succeeded"]
    return before | {"conditions": [said, *others], "message": message}


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What makes `after` of `before` as a JSON merge patch (RFC 7386); lists are replaced as a whole."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            inner = merge_patch(old, value)
            patch |= {name: inner} if inner else {}
        elif name not in before or old != value:
            patch[name] = value
    return patch


def _conditions(before: Mapping[str, Any], desired: Desired, generation: int, now_s: float) -> list[dict[str, Any]]:
    known = {one["type"]: one for one in before.get("conditions", ())}
    made = []
    for desired_condition in desired.conditions:
        old = known.get(desired_condition.type)
        kept = old is not None and old["status"] == desired_condition.status
        made.append(
            {
                "type": desired_condition.type,
                "status": desired_condition.status,
                "reason": desired_condition.reason,
                "message": _cut(desired_condition.message),
                "lastTransitionTime": old["lastTransitionTime"] if old is not None and kept else timestamp(now_s),
                "observedGeneration": generation,
            }
        )
    return made


def _figures(before: Mapping[str, Any], desired: Desired, observed: Observed, now_s: float) -> dict[str, Any]:
    progress = desired.progress
    if progress is None:
        kept = {name: before[name] for name in ("progress", "throughput") if name in before}
        return _final(kept, observed, now_s) if desired.ended else kept
    found: dict[str, Any] = {"progress": _progress(progress, before.get("progress", {}), now_s)}
    if progress.frames_per_second is not None:
        found["throughput"] = {"framesPerSecond": decimal(progress.frames_per_second, "0.1")}
    return found


def _final(kept: dict[str, Any], observed: Observed, now_s: float) -> dict[str, Any]:
    """At the end the estimates give way to what the summary counted."""
    results, head = observed.results, observed.head
    if results is None or results.frames_done is None or head is None:
        return kept
    progress = ProgressDesired(results.frames_done, results.frames_done, head.segments, head.segments, 0)
    return kept | {"progress": _progress(progress, kept.get("progress", {}), now_s)}


def _progress(progress: ProgressDesired, before: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    done, total = progress.frames_done, progress.frames_total
    found: dict[str, Any] = {"framesDone": done, "segmentsDone": progress.segments_done}
    if total is not None:
        found["framesTotal"] = total
        found["progressPercentage"] = 100 if total == 0 else min(100, 100 * done // total)
    if progress.segments_total is not None:
        found["segmentsTotal"] = progress.segments_total
    if progress.remaining_s is not None:
        found["estimatedRemainingSeconds"] = progress.remaining_s
    same = all(before.get(name) == found.get(name) for name in ("framesDone", "segmentsDone", "framesTotal"))
    if same and "estimatedRemainingSeconds" in before and progress.remaining_s:
        # The estimate moves with every reconcile: without progress nothing has changed, and nothing is written.
        found["estimatedRemainingSeconds"] = before["estimatedRemainingSeconds"]
    found["lastUpdatedTime"] = before["lastUpdatedTime"] if same and "lastUpdatedTime" in before else timestamp(now_s)
    return found


def _place(
    before: Mapping[str, Any], desired: Desired, observed: Observed, installation: Installation
) -> dict[str, Any]:
    demand, server, kept = desired.demand, observed.server, before.get("placement")
    epoch = 0 if observed.results is None else observed.results.epoch
    chosen = observed.placement if epoch else None
    estimated = _estimated(before, chosen, epoch)
    if demand is None:
        if chosen is not None and chosen.estimate is not None:
            # Chosen just now, though nothing is asked for yet: what was chosen is recorded before anything uses it.
            kept = {"backend": "kubernetes", "why": _cut(chosen.why)} | _recorded(chosen.key, epoch, chosen)
        if kept is None:
            return {}
        placement = kept | estimated.pop("placement", {}) | {"replicas": 0, "gpus": 0}
        return estimated | {"placement": placement}
    replicas = 0 if server is None else server.replicas
    gpus = installation.models[demand.key.model].variants[demand.key.accelerator].gpus
    why = desired.why or ({} if kept is None else kept).get("why", "")
    found: dict[str, Any] = {
        "backend": "kubernetes",
        "replicas": replicas,
        "gpus": 0 if server is None else gpus * server.placed,
        "why": _cut(why),
        "runnersUp": [],
    }
    if epoch:
        found |= _recorded(demand.key, epoch, chosen)
    found |= estimated.pop("placement", {})
    if server is not None and server.instance_type:
        found["instanceType"] = server.instance_type
    if server is not None and server.capacity_type:
        found["capacityType"] = server.capacity_type
    return estimated | {"placement": found}


def _recorded(key: ServerKey, epoch: int, chosen: Place | None) -> dict[str, Any]:
    """What later reconciles, and releases, read the placement from."""
    found: dict[str, Any] = {"epoch": epoch, "server": _server(key)}
    if chosen is not None and chosen.replica_frames_per_s is not None:
        found["replicaFramesPerSecond"] = decimal(chosen.replica_frames_per_s, "0.001")
    return found


_OF_CHOICE = ("finishSeconds", "finishSecondsP90", "runnersUp")


def _estimated(before: Mapping[str, Any], chosen: Place | None, epoch: int) -> dict[str, Any]:
    """What the choice by price expected: of one made just now, else as it was recorded with that of the same epoch."""
    if chosen is not None and chosen.estimate is not None:
        return _estimate(chosen.estimate)
    placement = before.get("placement", {})
    if epoch and placement.get("epoch") != epoch:
        return {}
    kept: dict[str, Any] = {"cost": before["cost"]} if "cost" in before else {}
    return kept | {"placement": {name: placement[name] for name in _OF_CHOICE if name in placement}}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    rivals = [
        {
            "backend": "kubernetes",
            "instanceType": one.instance_type,
            "capacityType": one.capacity_type,
            "cost": _usd(one.usd),
            "whyNot": _cut(one.why_not),
        }
        for one in estimate.rivals
    ]
    return {
        "cost": {
            "forecast": _usd(estimate.usd),
            "forecastLow": _usd(estimate.low_usd),
            "forecastHigh": _usd(estimate.high_usd),
            "priceSource": estimate.source,
            "priceTime": timestamp(estimate.as_of_s),
            "pricePrecision": estimate.precision,
        },
        "placement": {
            "finishSeconds": math.ceil(estimate.ends_in_s),
            "finishSecondsP90": math.ceil(estimate.ends_in_p90_s),
            "runnersUp": rivals,
        },
    }


def _usd(amount: Decimal) -> str:
    """Rounded up to a millionth, so that nothing costs nothing."""
    return str(amount.quantize(_MICRO, ROUND_UP))


def _server(key: ServerKey) -> dict[str, Any]:
    found: dict[str, Any] = {"model": key.model, "version": key.version, "accelerator": key.accelerator}
    if key.gpu:
        found["gpu"] = key.gpu
    if key.capacity_types:
        found["capacityTypes"] = list(key.capacity_types)
    if key.instance_types:
        found["instanceTypes"] = list(key.instance_types)
    return found


def _stall(stall: Stall) -> dict[str, Any]:
    found: dict[str, Any] = {"seconds": stall.counted_s, "tries": stall.tries, "cause": _cut(stall.cause)}
    if stall.as_of_s is not None:
        found["countedTime"] = timestamp(stall.as_of_s)
    if stall.held_since_s is not None:
        found["heldTime"] = timestamp(stall.held_since_s)
    return found


def _columns(status: Mapping[str, Any]) -> dict[str, str]:
    progress, placement = status.get("progress"), status.get("placement")
    rate = status.get("throughput", {}).get("framesPerSecond")
    ended = "completionTime" in status
    left_s = None if progress is None or ended else progress.get("estimatedRemainingSeconds")
    return {
        "progress": "-" if progress is None else f"{progress['framesDone']}/{progress.get('framesTotal', '?')}",
        "framesPerSecond": "-" if rate is None or ended else str(round(float(rate))),
        "gpus": "-" if placement is None else str(placement["gpus"]),
        "eta": "-" if left_s is None else duration_text(left_s),
        "cost": "-" if "forecast" not in status.get("cost", {}) else f"~{dollars(Decimal(status['cost']['forecast']))}",
    }


def duration_text(seconds: int) -> str:
    """As people say it: "23s", "4m10s", "2h5m", "3d4h"."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    left = min(max(0, seconds), _MOST_SEEN_S)
    parts = []
    for name, size in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts[:2]) or "0s"


def decimal(value: Fraction, step: str) -> str:
    """A decimal string, rounded to a multiple of `step`."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(step), ROUND_HALF_EVEN))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
