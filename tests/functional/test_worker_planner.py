"""The planner before a real S3: thousands of videos, named twice, in problem; it finds what the laptop finds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.fakes import FakeClock
from support.inputs import fetched
from support.job_stores import FakeJobStore
from support.s3 import Faults, direct_client, faulty_proxy, use_endpoint
from support.videos import Spec, write_video
from videojob.api.videojob import VideoJob
from videojob.errors import Cancelled, ManifestError, SinkUnavailable
from videojob.kube.job_file import JobFile
from videojob.video.plan import PlannedVideo
from videojob.worker.pods.planner import Planner
from videojob.worker.pods.program import Drain
from videojob.worker.segment.task import VideoPlan
from videojob.worker.steps.inputs import InputResolver
from videojob.worker.steps.probing import cut_videos, probe_inputs

SMALL = Spec(frames=5, size=(64, 48))
LONG = Spec(frames=2400, size=(64, 48), gop=250)  # 96 s, four segments or three
COPIES = 200


@pytest.fixture(scope="module")
def bucket(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clips")
    client = direct_client(s3_url)
    client.create_bucket(Bucket="planner")
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    small = write_video(folder / "small.mp4", SMALL).read_bytes()
    long = write_video(folder / "long.mp4", LONG).read_bytes()
    for number in range(COPIES):
        client.put_object(Bucket="planner", Key=f"many/{number}.mp4", Body=small)
    for key, body in (("few/10.mp4", small), ("few/2.mp4", long), ("few/x.mp4", b"no video " * 99), ("few/a.txt", b"")):
        client.put_object(Bucket="planner", Key=key, Body=body)
        client.put_object(Bucket="versions", Key=key, Body=small)
        client.put_object(Bucket="versions", Key=key, Body=body)
    return s3_url


@pytest.fixture
def faults(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with faulty_proxy(bucket) as faults:
        use_endpoint(monkeypatch, faults.url)
        yield faults


def file_for(*inputs: dict[str, Any], **spec: Any) -> JobFile:
    body = {"inputs": list(inputs), "model": {"name": "m"}} | spec
    values = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "job", "namespace": "team"},
        "spec": body,
    }
    return JobFile(VideoJob.from_manifest(values), "team.1", "table", None, "sha256:0", 1)


def prefix(value: str, bucket: str = "planner", **more: Any) -> dict[str, Any]:
    return {"s3": {"bucket": bucket, "prefix": value}, **more}


def key(value: str, bucket: str = "planner", **more: Any) -> dict[str, Any]:
    return {"s3": {"bucket": bucket, "key": value, **more}}


def planner(file: JobFile, folder: Path, store: FakeJobStore | None = None, **changes: Any) -> Planner:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    drain = Drain(0.0, FakeClock(), sleep=lambda _: None)
    made = Planner(file, store or FakeJobStore(), scratch, probes=3, drain=drain)
    return replace(made, **changes)


def planned(file: JobFile, folder: Path) -> list[PlannedVideo]:
    store = FakeJobStore()
    head = planner(file, folder, store).run(1)
    assert (head.videos, head.failed) == (len(store.videos), sum(video.info is None for video in store.videos))
    assert head.segments == sum(video.segment_count for video in store.videos)
    return store.videos


def on_laptop(file: JobFile, folder: Path) -> tuple[VideoPlan, ...]:
    with InputResolver(folder, folder / "laptop") as resolver:
        return probe_inputs(fetched(resolver, file.job.spec.inputs), 2, 30_000)


@pytest.mark.parametrize("bucket_name", ["planner", "versions"])
def test_planner_and_laptop_see_the_same_videos(faults: Faults, tmp_path: Path, bucket_name: str) -> None:
    file = file_for(
        prefix("few/", bucket_name, name="cameras"),
        key("few/x.mp4", bucket_name),
        key("few/2.mp4", bucket_name),
        key("gone.mp4", bucket_name),
        key("gone.mp4", bucket_name),
        prefix("empty/", bucket_name),
    )
    found = planned(file, tmp_path)
    laptop = on_laptop(file, tmp_path)
    assert [(one.video, one.uri, one.name, one.version) for one in found] == [
        (one.video, one.uri, one.name, one.version) for one in laptop
    ]
    assert [one.error for one in found] == [None if one.error is None else one.error.as_dict() for one in laptop]
    assert [one.info for one in found] == [one.info for one in laptop]
    assert [segment for one in found for segment in one.segments] == list(cut_videos(laptop, 30_000))
    assert [one.uri.rpartition("/")[2] for one in found] == ["2.mp4", "10.mp4", "x.mp4", "gone.mp4", ""]


def test_a_version_and_the_same_object_by_its_prefix_are_one_video(faults: Faults, bucket: str, tmp_path: Path) -> None:
    newest = direct_client(bucket).head_object(Bucket="versions", Key="few/10.mp4")["VersionId"]
    videos = planned(file_for(key("few/10.mp4", "versions", versionId=newest), prefix("few/1", "versions")), tmp_path)
    assert [(one.uri, one.version) for one in videos] == [("s3://versions/few/10.mp4", f"version:{newest}")]


def test_hundreds_of_videos_are_looked_at_side_by_side_and_leave_nothing(faults: Faults, tmp_path: Path) -> None:
    children = _Children()
    with children:
        videos = planned(file_for(prefix("many/")), tmp_path)
    assert [one.uri for one in videos] == [f"s3://planner/many/{number}.mp4" for number in range(COPIES)]
    assert {one.segment_count for one in videos} == {1}
    assert 1 <= children.most <= 3
    assert list((tmp_path / "scratch").iterdir()) == []


class _Children:
    """How many processes of this one's making there were at once while the block ran."""

    def __init__(self) -> None:
        self.most = 0
        self._own = psutil.Process()
        self._before = len(self._own.children())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, len(self._own.children()) - self._before)


def test_a_planner_that_runs_again_looks_at_nothing(faults: Faults, tmp_path: Path) -> None:
    store = FakeJobStore()
    file = file_for(key("few/10.mp4"))
    first = planner(file, tmp_path, store).run(1)
    faults.seen.clear()
    assert planner(file, tmp_path, store).run(1) == first
    assert faults.seen == []


def test_the_digest_tells_inputs_model_and_settings_apart(faults: Faults, tmp_path: Path) -> None:
    same = key("few/10.mp4")
    files = [
        file_for(same),
        file_for(key("few/10.mp4", "versions")),
        file_for(same, sampling={"everyNthFrame": 2}),
        replace(file_for(same), model_digest="sha256:1"),
        replace(file_for(same), model_version=2),
        file_for(same, key("few/x.mp4")),
    ]
    digests = [planner(file, tmp_path).run(1).plan_digest for file in files]
    assert len(set(digests)) == len(files)
    assert planner(files[0], tmp_path).run(1).plan_digest == digests[0]


def test_short_trouble_with_one_video_is_no_trouble(faults: Faults, tmp_path: Path) -> None:
    faults.cuts.extend([10, 10, 10])
    assert planned(file_for(key("few/10.mp4")), tmp_path)[0].error is None


class Waits:
    """A planner's pauses: what it waited, with what happens after so many of them."""

    def __init__(self, faults: Faults, *, back_after: int | None) -> None:
        self.clock = FakeClock()
        self.waited: list[float] = []
        self.drain = Drain(0.0, self.clock, sleep=self._sleep)
        self._faults = faults
        self._back_after = back_after

    def _sleep(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.waited += [seconds] if seconds >= 10 else []
        if self._back_after is not None and len(self.waited) >= self._back_after:
            self._faults.statuses.clear()


@pytest.mark.parametrize("named", [prefix("few/2"), key("few/2.mp4")], ids=["prefix", "key"])
def test_a_video_that_cannot_be_had_now_is_asked_for_later_and_later(
    faults: Faults, tmp_path: Path, named: dict[str, Any]
) -> None:
    waits, store = Waits(faults, back_after=2), FakeJobStore()
    faults.statuses.extend([503] * 10_000)
    head = planner(file_for(named, backoffLimit=5), tmp_path, store, drain=waits.drain).run(1)
    assert (head.videos, head.failed, head.error) == (1, 0, None)
    assert waits.waited == [10, 20]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_video_that_stays_away_is_planned_as_failed_beside_the_others(faults: Faults, tmp_path: Path) -> None:
    waits, store = Waits(faults, back_after=None), FakeJobStore()
    away = {"http": {"url": "http://nobody.invalid/a.mp4"}}
    file = file_for(key("few/10.mp4"), away, key("few/2.mp4"), backoffLimit=5)
    head = planner(file, tmp_path, store, drain=waits.drain).run(1)
    assert (head.videos, head.failed, head.error) == (3, 1, None)
    assert waits.waited == [10, 20, 40, 80, 160]
    assert [one.info is None for one in store.videos] == [False, True, False]
    error = store.videos[1].error
    assert error is not None
    assert (error["reason"], error["uri"], error["retryable"]) == (
        "InputUnavailable",
        "http://nobody.invalid/a.mp4",
        True,
    )
    minutes = round(waits.clock.seconds / 60)
    assert str(error["message"]).endswith(f"it was retried for {minutes} min")


def test_a_job_whose_inputs_are_all_away_says_that_they_may_come_back(faults: Faults, tmp_path: Path) -> None:
    store = FakeJobStore()
    faults.statuses.extend([503] * 10_000)
    file = file_for(key("few/x.mp4"), key("few/2.mp4"), backoffLimit=1)
    head = planner(file, tmp_path, store).run(1)
    assert head.error is not None
    assert (head.segments, head.error["reason"], head.error["retryable"]) == (0, "InputUnavailable", True)


def test_a_stopped_planner_stores_nothing_and_leaves_no_process(faults: Faults, tmp_path: Path) -> None:
    clock = FakeClock()
    drain = Drain(0.0, clock)
    before = len(psutil.Process().children())

    class Stopping(FakeJobStore):
        """The signal comes when the planner has begun."""

        def plan_head(self, uid: str, attempt: int) -> None:
            drain.asked_at_s = clock.monotonic_s()

    store = Stopping()
    with pytest.raises(Cancelled):
        planner(file_for(prefix("many/")), tmp_path, store, drain=drain).run(1)
    assert store.head is None
    assert len(psutil.Process().children()) == before


def test_a_file_of_the_users_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot read local files"):
        planner(file_for({"file": {"path": "clip.mp4"}}), tmp_path).run(1)


def test_a_store_that_fails_at_the_end_leaves_no_plan(faults: Faults, tmp_path: Path) -> None:
    store = FakeJobStore(problem=lambda name: SinkUnavailable("away") if name == "save_plan" else None)
    with pytest.raises(SinkUnavailable):
        planner(file_for(key("few/10.mp4")), tmp_path, store).run(1)
    assert store.head is None
