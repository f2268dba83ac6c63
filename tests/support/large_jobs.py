"""Jobs of 10^5 segments without the pods that would run them: a table that makes its items up as they are asked for.

The table stands where boto3's client does, so all above it is the real thing: pages of 1 MB, four shards, items in
parts. Run as a program it folds one job and prints what that took: a process of its own, since what another test left
in memory would count.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from mypy_boto3_dynamodb.client import DynamoDBClient

from support.plans import plan_head, planned_job
from videojob.adapters.aws.dynamodb.attributes import from_attributes, to_attributes
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.api.videojob import VideoJob
from videojob.results.aggregate.document import result_document, timings_document
from videojob.results.aggregate.segment_results import (
    ClassStats,
    Presence,
    RunRecord,
    SegmentResult,
    SegmentTimings,
    TrackSpan,
    Window,
)
from videojob.results.stored.codec import bytes_digest, canonical
from videojob.results.stored.items import Item
from videojob.results.stored.keys import SHARDS, segment_partition, segment_sort_key
from videojob.results.stored.plan_items import video_item
from videojob.results.stored.write_cost import item_bytes
from videojob.video.info import Segment
from videojob.video.plan import PlanHead, PlannedVideo
from videojob.worker.steps.finalise import finalise_run, stored_outcome

UID = "team.large"
_PAGE_BYTES = 1 << 20  # of one answer, as the service has it
_NO_LIMIT = sys.maxsize
_JSON_TIMES = 3  # an item in JSON is about so many times the size that the service counts
_WINDOW_MS = 10_000
_WINDOWS = 3
_TRACKS = 4
_DECODED = 750


@dataclass(frozen=True, slots=True)
class Fold:
    """What folding one job took.

    Attributes:
        state: of the summary.
        before_bytes, peak_bytes: resident memory with everything imported, and the highest since.
        cpu_s: of the fold alone.
        queries, read_bytes: pages that were read, and their size as the service counts it.
        written_bytes: of the summary.
    """

    state: str
    before_bytes: int
    peak_bytes: int
    cpu_s: float
    queries: int
    read_bytes: int
    written_bytes: int


def a_result(segment: Segment, appearances: int = 0) -> SegmentResult:
    """30 s of a busy place: two classes in every window, one of them nearly always there, and tracks.

    Args:
        segment: which.
        appearances: things that come and go within the segment, so that none joins another; 0 for the place above.
    """
    first = segment.index * _WINDOWS
    start_ms = first * _WINDOW_MS
    score_ppm = 500_000 + segment.index % 400_000
    box = (segment.index % 600, 20, segment.index % 600 + 40, 90)
    stats = (ClassStats(0, 600, 240, 5, 240 * score_ppm, score_ppm), ClassStats(1, 90, 80, 2, 60_000_000, 800_000))
    return SegmentResult(
        segment=segment.index,
        video=segment.video,
        start_pts=segment.start_pts,
        end_pts=segment.end_pts,
        frames_decoded=_DECODED,
        frames_selected=_WINDOWS * 250,
        frames_gated=10,
        windows=tuple(Window(index, 250, stats) for index in range(first, first + _WINDOWS)),
        presence=_appearances(start_ms, score_ppm, box, appearances)
        or (
            Presence(0, start_ms, start_ms + 29_960, start_ms + 1500, score_ppm, box),
            Presence(1, start_ms + 4000, start_ms + 16_000, start_ms + 5000, 800_000, box),
        ),
        tracks=tuple(
            TrackSpan(at, 0, start_ms + 100 * at, start_ms + 20_000 + 100 * at, box, box) for at in range(_TRACKS)
        ),
    )


def _appearances(start_ms: int, score_ppm: int, box: tuple[int, int, int, int], count: int) -> tuple[Presence, ...]:
    """So many in 30 s, by turns of some classes: those of one class are further apart than the presence gap."""
    classes = max(2, count // 5)
    step_ms = _WINDOWS * _WINDOW_MS // max(1, count)
    spans = []
    for at in range(count):
        first_ms = start_ms + at * step_ms + 40
        last_ms = first_ms + step_ms // 2
        spans.append(Presence(at % classes, first_ms, last_ms, first_ms + 120, score_ppm + at, box))
    return tuple(sorted(spans, key=lambda span: (span.class_id, span.first_ms)))


@dataclass
class MadeUpTable:
    """boto3's client for one planned job all of whose segments are committed.

    Attributes:
        videos: of the plan. head: over them.
        run: whose commits are asked for.
        appearances: of each segment, see `a_result`.
        queries, read_bytes: so far.
        written: items that were put, by sort key, as the service gets them.
    """

    videos: list[PlannedVideo]
    run: RunRecord
    appearances: int = 0
    queries: int = 0
    read_bytes: int = 0
    written: dict[str, bytes] = field(default_factory=dict)

    @property
    def head(self) -> PlanHead:
        return plan_head(self.videos, plan_id="plan")

    def get_item(self, **request: Any) -> dict[str, Any]:
        """What was put there, whole; nothing else is there."""
        found = self.written.get(str(from_attributes(request["Key"])["SK"]))
        return {} if found is None else {"Item": json.loads(found)}

    def query(self, **request: Any) -> dict[str, Any]:
        """One page."""
        self.queries += 1
        values = from_attributes(request["ExpressionAttributeValues"])
        after = request.get("ExclusiveStartKey")
        start = "" if after is None else str(from_attributes(after)["SK"])
        partition, prefix = str(values[":pk"]), str(values.get(":prefix", ""))
        wanted = str(request.get("ProjectionExpression", "")).split(", ")
        if prefix == "SEG#":
            found, last, size_bytes = _page(self._made_up(partition, start), int(request.get("Limit", _NO_LIMIT)))
            kept = found if wanted == [""] else [{name: one[name] for name in wanted} for one in found]
            answer = list(map(to_attributes, kept))
        else:
            keys = [key for key in sorted(self.written) if key.startswith(prefix) and key > start]
            stored, last, size_bytes = _page(map(self._stored, keys), int(request.get("Limit", _NO_LIMIT)))
            answer = [json.loads(self.written[str(item["SK"])]) for item in stored]
        self.read_bytes += size_bytes
        page: dict[str, Any] = {"Items": answer, "ResponseMetadata": {"HTTPHeaders": {}}}
        return page if last is None else page | {"LastEvaluatedKey": to_attributes({"SK": last})}

    def _stored(self, key: str) -> Item:
        """As large as a stored item, and with its key."""
        return {"SK": key, "": "x" * (len(self.written[key]) // _JSON_TIMES)}

    def _made_up(self, partition: str, after: str) -> Iterable[Item]:
        if "#plan#" in partition:
            head, least = self.head, int(after.split("#")[1]) if after else 0
            videos = (video for video in self.videos if video.first_segment >= least)
            items = (item for video in videos for item in _sorted(video_item(UID, head, video).all))
            return (item for item in items if str(item["SK"]) > after)
        shard = int(partition.rpartition("#")[2])
        at = int(after.removeprefix("SEG#")) if after else -1
        return self._commits(at + 1 + (shard - at - 1) % SHARDS)

    def _commits(self, first: int) -> Iterator[Item]:
        video = 0
        for index in range(first, self.run.segments, SHARDS):
            while index >= self.videos[video].first_segment + self.videos[video].segment_count:
                video += 1
            yield _commit_item(self.run, self.videos[video], index, self.appearances)

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        """Takes everything."""
        for puts in request["RequestItems"].values():
            for put in puts:
                self._put(put["PutRequest"]["Item"])
        return {"UnprocessedItems": {}}

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        """Takes everything."""
        for write in request["TransactItems"]:
            if "Put" in write:
                self._put(write["Put"]["Item"])
        return {}

    def _put(self, attributes: Mapping[str, Any]) -> None:
        self.written[str(from_attributes(attributes)["SK"])] = json.dumps(attributes).encode()


def _page(items: Iterable[Item], most: int) -> tuple[list[Item], str | None, int]:
    """Items of a page, the key of the last one if others follow, and their size."""
    found: list[Item] = []
    size_bytes, one_bytes = 0, 0
    for item in items:
        if size_bytes >= _PAGE_BYTES or len(found) == most:
            return found, str(found[-1]["SK"]), size_bytes
        one_bytes = one_bytes or item_bytes(item)  # those of a page are alike, and measuring takes longer than all else
        size_bytes += one_bytes
        found.append(item)
    return found, None, size_bytes


def _commit_item(run: RunRecord, video: PlannedVideo, index: int, appearances: int) -> Item:
    """As `commit_item` makes it of the video's segment with this job-wide index, but unmeasured."""
    at = index - video.first_segment
    start = video.cuts[at - 1] if at else None
    end = video.cuts[at] if at < len(video.cuts) else None
    keys: Item = {
        "PK": segment_partition(run, index % SHARDS),
        "SK": segment_sort_key(index, run.keys),
    }
    timings = timings_document(SegmentTimings(wall_s=12.5, decode_s=3.25))
    result = result_document(a_result(Segment(index, video.video, start, end), appearances))
    return keys | {"digest": bytes_digest(canonical(result)), "timings": timings} | result


def _sorted(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: str(item["SK"]))


def a_plan(videos: int, segments: int) -> tuple[list[PlannedVideo], RunRecord]:
    """A job of so many videos and, evenly spread over them, so many segments."""
    plan = planned_job(cuts=[segments // videos - 1] * videos)
    return plan, RunRecord(UID, "team", "large", "plan-a", segments, epoch=1)


def a_store(videos: int, segments: int) -> tuple[DynamoDbJobStore, MadeUpTable, RunRecord]:
    """The store of such a job."""
    plan, run = a_plan(videos, segments)
    table = MadeUpTable(plan, run)
    return DynamoDbJobStore(DynamoDbSettings("results"), cast("DynamoDBClient", table)), table, run


def a_job() -> VideoJob:
    """Every segment of it is followed through, so that tracks count as well."""
    spec = {
        "inputs": [{"s3": {"bucket": "videos", "prefix": "p/"}}],
        "model": {"name": "face_detector"},
        "aggregation": {"track": True},
    }
    metadata = {"name": "large", "namespace": "team"}
    return VideoJob.from_manifest(
        {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": metadata, "spec": spec}
    )


def fold(videos: int, segments: int) -> Fold:
    """Folds one job in this process."""
    store, table, run = a_store(videos, segments)
    before_bytes, began_s = memory_bytes("VmRSS"), time.process_time()
    outcome = finalise_run(store, a_job(), table.head, run)
    cpu_s = time.process_time() - began_s
    assert outcome is not None
    assert stored_outcome(store, run) == outcome
    assert outcome.frames == segments * _WINDOWS * 250
    return Fold(
        state=outcome.state,
        before_bytes=before_bytes,
        peak_bytes=memory_bytes("VmHWM"),
        cpu_s=cpu_s,
        queries=table.queries,
        read_bytes=table.read_bytes,
        written_bytes=sum(map(len, table.written.values())) // _JSON_TIMES,
    )


def memory_bytes(name: str) -> int:
    """One of this process's figures in /proc/self/status."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def main() -> int:
    """`python -m support.large_jobs VIDEOS SEGMENTS`."""
    sys.stdout.write(json.dumps(asdict(fold(int(sys.argv[1]), int(sys.argv[2])))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
