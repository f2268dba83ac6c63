"""A job's pods disturbed at every step: killed at their writes, stopped, without a server, without the table."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from support.bad_videos import flipped
from support.clips import looped
from support.dynamodb import Fault, FaultyDynamoDb, Rule, faulty_proxy
from support.pods import PodJob, job_manifest, until
from support.s3 import direct_client, use_endpoint
from support.s3 import faulty_proxy as faulty_s3
from support.samples import sample_path
from support.triton import still_running
from support.videos import Spec, write_video
from videojob.local.triton.server import EmbeddedTriton
from videojob.planning.state.ending import Ending
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.stored.summary_codec import decode_summary
from videojob.video.plan import PlanHead
from videojob.worker.steps.finalise import finalise_run

pytestmark = pytest.mark.usefixtures("aws")

SPARSE = {"framesPerSecond": "0.3"}
Begun = tuple[PlanHead, RunRecord]
LOOPS, SLOWER = 3, 3  # 90 s of video, three segments
LONG, DAMAGED = 3, 3
MANY_PICTURES = {"preset": "ultrafast", "bf": "3", "refs": "16"}
"""A decoder has to hold that many at once."""


@pytest.fixture(scope="module")
def videos(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clips")
    clip = looped(sample_path("bikes.mp4"), folder / "long.mp4", LOOPS, slower=SLOWER)
    damaged = flipped(folder / "damaged.mp4", clip.read_bytes(), first=0.45, last=0.55, flips=60, seed=3)
    client = direct_client(s3_url)
    client.create_bucket(Bucket="videos")
    client.put_object(Bucket="videos", Key="long/a.mp4", Body=clip.read_bytes())
    client.put_object(Bucket="videos", Key="damaged/a.mp4", Body=damaged.read_bytes())
    client.put_object(Bucket="videos", Key="damaged/b.mp4", Body=clip.read_bytes())
    large = write_video(folder / "large.mp4", Spec(size=(3840, 2160), frames=12, gop=12, options=MANY_PICTURES))
    client.put_object(Bucket="videos", Key="large/a.mp4", Body=large.read_bytes())
    client.put_object(Bucket="videos", Key="large/b.mp4", Body=sample_path("carphone.mp4").read_bytes())
    return s3_url


@pytest.fixture
def aws(videos: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, videos)


@pytest.fixture
def proxy(results_url: str) -> Iterator[FaultyDynamoDb]:
    with faulty_proxy(results_url) as proxy:
        yield proxy


@pytest.fixture
def pods(tmp_path: Path, results_url: str, face_server: EmbeddedTriton) -> PodJob:
    table = f"results-{uuid4().hex[:8]}"
    manifest = job_manifest("long/", sampling=SPARSE)
    made = PodJob(manifest, tmp_path / "pods", table, results_url, face_server.grpc_address)
    made.store().create_table()
    return made


@pytest.fixture(scope="module")
def undisturbed(
    videos: str, tmp_path_factory: pytest.TempPathFactory, results_url: str, face_server: EmbeddedTriton
) -> bytes:
    """What the laptop stores for the same manifest."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as environment:
        use_endpoint(environment, videos)
        manifest = job_manifest("long/", sampling=SPARSE)
        return PodJob(manifest, folder, "", results_url, face_server.grpc_address).on_laptop(folder)


@pytest.fixture(scope="module")
def planned(
    videos: str, tmp_path_factory: pytest.TempPathFactory, results_url: str, face_server: EmbeddedTriton
) -> PodJob:
    """The usual job, planned once: to plan it in every test would take as long as its segments."""
    manifest = job_manifest("long/", sampling=SPARSE)
    made = PodJob(manifest, tmp_path_factory.mktemp("planned"), "planned", results_url, face_server.grpc_address)
    with pytest.MonkeyPatch.context() as environment:
        use_endpoint(environment, videos)
        made.store().create_table()
        assert made.plan().code == Ending.SETTLED
    return made


@pytest.fixture
def begun(pods: PodJob, planned: PodJob) -> Begun:
    """The usual job with its plan, and begun."""
    pods.take_plan(planned)
    return pods.begin()


def begin(pods: PodJob) -> Begun:
    """Another job, planned and begun."""
    assert pods.plan().code == Ending.SETTLED
    return pods.begin()


def summary_of(pods: PodJob, head: PlanHead, run: RunRecord) -> bytes | None:
    """Ends the job as the controller does."""
    store = pods.store()
    assert finalise_run(store, pods.job, head, run) is not None
    return store.finished(run)


def test_a_video_that_breaks_in_the_middle_is_named_as_on_the_laptop(pods: PodJob, tmp_path: Path) -> None:
    pods = replace(pods, manifest=job_manifest("damaged/", sampling=SPARSE))
    head, run = begin(pods)
    assert head.segments == DAMAGED + LONG
    # From behind: the failure that is met first is not the one that counts.
    codes = [pods.index(number).code for number in reversed(range(head.segments))]
    assert codes == [Ending.SETTLED] * head.segments
    stored = summary_of(pods, head, run)
    assert stored is not None
    assert decode_summary(stored).state == "PartiallyCompleted"
    assert [failed.error["reason"] for failed in decode_summary(stored).failed_inputs] == ["InputCorrupt"]
    assert stored == pods.on_laptop(tmp_path)


def test_a_video_that_does_not_fit_into_the_pods_memory_is_named_and_the_others_go_on(
    pods: PodJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods = replace(pods, manifest=job_manifest("large/", sampling=SPARSE, onCorruption="Skip"))
    head, run = begin(pods)
    monkeypatch.setenv("VIDEOJOB_DECODER_BYTES", str(80 << 20))
    codes = [pods.index(number).code for number in range(head.segments)]
    assert codes == [Ending.FAILED, Ending.SETTLED]
    assert pods.store().failures(run) == (), "another node may have more memory"
    assert pods.index(0, failures=1).code == Ending.SETTLED
    stored = summary_of(pods, head, run)
    assert stored is not None
    (failed,) = decode_summary(stored).failed_inputs
    assert failed.error["reason"] == "DecoderCrashed"
    assert "needs more than 80 MiB" in str(failed.error["message"])


def test_a_video_that_is_away_is_left_for_another_pod_and_the_last_one_gives_it_up(pods: PodJob, videos: str) -> None:
    client = direct_client(videos)
    for name in ("a.mp4", "b.mp4"):
        client.put_object(Bucket="videos", Key=f"away/{name}", Body=sample_path("carphone.mp4").read_bytes())
    pods = replace(pods, manifest=job_manifest("away/", sampling=SPARSE, backoffLimit=2))
    head, run = begin(pods)
    with faulty_s3(videos) as faults, pytest.MonkeyPatch.context() as environment:
        use_endpoint(environment, faults.url)
        faults.away.add("/videos/away/a.mp4")
        first = pods.index(0, batch=2)
        assert (first.code, first.words["reason"]) == (Ending.FAILED, "InputUnavailable")
        assert pods.store().committed(run) == {1}, "the other video went on"
        assert finalise_run(pods.store(), pods.job, head, run) is None
        again = pods.index(0, batch=2, failures=1)
        assert (again.code, pods.store().failures(run)) == (Ending.FAILED, ())
        assert pods.index(0, batch=2, failures=2).code == Ending.SETTLED
    stored = summary_of(pods, head, run)
    assert stored is not None
    summary = decode_summary(stored)
    assert (summary.state, [one.uri for one in summary.failed_inputs]) == (
        "PartiallyCompleted",
        ["s3://videos/away/a.mp4"],
    )
    assert "3 pods tried it" in str(summary.failed_inputs[0].error["message"])


def test_a_video_that_comes_back_loses_nothing(pods: PodJob, begun: Begun, videos: str, undisturbed: bytes) -> None:
    head, run = begun
    with faulty_s3(videos) as faults, pytest.MonkeyPatch.context() as environment:
        use_endpoint(environment, faults.url)
        faults.away.add("/videos/long/a.mp4")
        assert pods.index(0, batch=LONG).code == Ending.FAILED
        faults.away.clear()
        assert pods.index(0, batch=LONG, failures=1).code == Ending.SETTLED
    assert summary_of(pods, head, run) == undisturbed


def test_segments_behind_a_failed_one_are_not_run(pods: PodJob) -> None:
    pods = replace(pods, manifest=job_manifest("damaged/", sampling=SPARSE))
    _, run = begin(pods)
    assert pods.index(0, batch=DAMAGED).code == Ending.SETTLED
    (failure,) = pods.store().failures(run)
    assert pods.store().committed(run) == set(range(failure.segment))
    other = replace(pods, server="127.0.0.1:1")
    assert other.index(DAMAGED - 1, batch=1).code == Ending.SETTLED, "it has nothing to do, and needs no server"


def test_a_worker_killed_in_mid_segment_leaves_nothing_and_its_index_runs_again(
    pods: PodJob, begun: Begun, undisturbed: bytes
) -> None:
    head, run = begun
    busy = replace(pods, manifest=job_manifest("long/", sampling={"everyNthFrame": 1}))
    with busy.worker(1) as process:
        until(process, "segment started")
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert still_running(family) == []
    assert pods.store().committed(run) == frozenset()
    assert [pods.index(number).code for number in (2, 1)] == [Ending.SETTLED] * 2
    assert finalise_run(pods.store(), pods.job, head, run) is None, "index 0 was lost and is not settled"
    assert pods.index(0).code == Ending.SETTLED
    assert summary_of(pods, head, run) == undisturbed


def test_a_segment_whose_pods_are_killed_costs_its_video_and_not_the_job(pods: PodJob, videos: str) -> None:
    client = direct_client(videos)
    for name in ("a.mp4", "b.mp4"):
        client.put_object(Bucket="videos", Key=f"deadly/{name}", Body=sample_path("carphone.mp4").read_bytes())
    pods = replace(pods, manifest=job_manifest("deadly/", sampling=SPARSE))
    head, run = begin(pods)
    busy = replace(pods, manifest=job_manifest("deadly/", sampling={"everyNthFrame": 1}))
    for failures in range(3):
        with busy.worker(0, batch=2, failures=failures) as process:
            until(process, "segment started")
            process.send_signal(signal.SIGKILL)
            assert process.wait(timeout=60) == -signal.SIGKILL
        assert pods.store().failures(run) == ()
    assert pods.index(0, batch=2, failures=3).code == Ending.SETTLED
    stored = summary_of(pods, head, run)
    assert stored is not None
    summary = decode_summary(stored)
    assert summary.state == "PartiallyCompleted"
    assert [one.entry.uri for one in summary.videos] == ["s3://videos/deadly/b.mp4"]
    (failed,) = summary.failed_inputs
    assert (failed.uri, failed.error["reason"]) == ("s3://videos/deadly/a.mp4", "WorkerLost")
    assert "2 pods that began this segment died in it without a message" in str(failed.error["message"])


@pytest.mark.parametrize("is_written", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("write", range(4), ids=["model", "segment 0", "segment 1", "segment 2"])
def test_a_worker_may_die_at_each_of_its_writes(
    pods: PodJob, begun: Begun, proxy: FaultyDynamoDb, undisturbed: bytes, *, write: int, is_written: bool
) -> None:
    head, run = begun
    watched = replace(pods, url=proxy.url)
    with watched.worker(0, batch=LONG) as process:
        proxy.rule = killing(process, "PutItem", write, is_written=is_written)
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(pods.store().committed(run)) == max(0, write - 1 + is_written)
    assert pods.index(0, batch=LONG).code == Ending.SETTLED
    assert summary_of(pods, head, run) == undisturbed


@pytest.mark.parametrize("is_written", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("operation", ["BatchWriteItem", "PutItem"])
def test_a_planner_may_die_at_each_of_its_writes(
    pods: PodJob, proxy: FaultyDynamoDb, operation: str, *, is_written: bool
) -> None:
    watched = replace(pods, url=proxy.url)
    with watched.started("plan", "--attempt", "1") as process:
        proxy.rule = killing(process, operation, 0, is_written=is_written)
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    stood = pods.store().plan_head(pods.uid, 1)
    assert (stood is not None) == (operation == "PutItem" and is_written)
    head, _ = begin(pods)
    assert stood in {None, head}
    assert sum(video.segment_count for video in pods.store().planned_videos(pods.uid, head.plan_id)) == LONG


def killing(process: subprocess.Popen[str], operation: str, number: int, *, is_written: bool) -> Rule:
    """Kills the process at its so-many-th call of an operation, before or after the server has done it."""
    left = [number]

    def rule(name: str, _before: int) -> Fault | None:
        if name == operation:
            left[0] -= 1
        if name != operation or left[0] >= 0:
            return None
        process.kill()
        process.wait(timeout=60)
        return Fault.DROP_ANSWER if is_written else Fault.SERVER_ERROR

    return rule


def test_a_stop_signal_with_time_left_lets_the_segment_end_and_begins_no_other(
    pods: PodJob, begun: Begun, undisturbed: bytes
) -> None:
    head, run = begun
    with pods.worker(0, batch=LONG) as process:
        until(process, "segment started")
        process.send_signal(signal.SIGTERM)
        ended = pods.ended(process, 0)
    assert (ended.code, ended.words["reason"]) == (Ending.STOPPED, "Cancelled")
    assert pods.store().committed(run) == {0}
    assert pods.index(0, batch=LONG).code == Ending.SETTLED
    assert summary_of(pods, head, run) == undisturbed


def test_a_stop_signal_without_time_drops_the_segment_whole(pods: PodJob) -> None:
    busy = replace(pods, manifest=job_manifest("long/", sampling={"everyNthFrame": 1}))
    _, run = begin(busy)
    with busy.worker(0, grace_s=0) as process:
        until(process, "segment started")
        process.send_signal(signal.SIGTERM)
        ended = busy.ended(process, 0)
    assert (ended.code, ended.words["reason"]) == (Ending.STOPPED, "Cancelled")
    assert busy.store().committed(run) == frozenset()


def test_a_planner_that_waits_for_the_table_ends_at_the_stop_signal(pods: PodJob, proxy: FaultyDynamoDb) -> None:
    proxy.rule = lambda _name, _before: Fault.SERVER_ERROR
    with replace(pods, url=proxy.url).started("plan", "--attempt", "1") as process:
        while len(proxy.seen) < 3:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        ended = pods.ended(process)
    assert (ended.code, ended.words["reason"]) == (Ending.STOPPED, "Cancelled")


def test_a_worker_whose_server_is_away_ends_without_blame(pods: PodJob, begun: Begun) -> None:
    ended = replace(pods, server="127.0.0.1:1").index(0, patience_s=2)
    assert (ended.code, ended.words["reason"]) == (Ending.STOPPED, "ServerUnavailable")


def test_a_worker_waits_for_the_table_and_goes_on(
    pods: PodJob, begun: Begun, proxy: FaultyDynamoDb, undisturbed: bytes
) -> None:
    head, run = begun
    away = {"PutItem": 12}

    def rule(name: str, _before: int) -> Fault | None:
        # Away in the middle: the model's facts are stored, the first segment's commit meets nobody for a while.
        if name != "PutItem" or proxy.seen.count("PutItem") == 0 or not away["PutItem"]:
            return None
        away["PutItem"] -= 1
        return Fault.SERVER_ERROR

    proxy.rule = rule
    assert replace(pods, url=proxy.url).index(0, batch=LONG).code == Ending.SETTLED
    assert proxy.faults == 12
    assert summary_of(pods, head, run) == undisturbed


def test_a_missing_table_is_told_by_name_and_nothing_is_tried_again(pods: PodJob) -> None:
    ended = replace(pods, table="no-such-table").plan()
    assert (ended.code, ended.words["reason"]) == (Ending.HOPELESS, "SinkError")
    assert "no-such-table" in ended.words["message"]


def test_a_class_that_the_model_does_not_have_is_hopeless(pods: PodJob) -> None:
    model = {"name": "face_detector", "threshold": "0.5", "classes": ["zebra"]}
    pods = replace(pods, manifest=job_manifest("long/", sampling=SPARSE, model=model))
    begin(pods)
    ended = pods.index(0)
    assert (ended.code, ended.words["reason"]) == (Ending.HOPELESS, "InvalidManifest")


def test_every_line_of_the_log_is_bound_to_the_job(pods: PodJob, begun: Begun) -> None:
    lines = [json.loads(line) for line in pods.index(0).log.splitlines()]
    assert lines
    for line in lines:
        place = (line["component"], line["namespace"], line["job"], line["index"], line["epoch"])
        assert place == ("worker", "team", "faces", "0", 1)
    assert {line.get("segment") for line in lines} == {None, 0}


def test_nothing_is_written_outside_the_scratch_folder(pods: PodJob, begun: Begun, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOME", str(home))
        assert pods.index(0).code == Ending.SETTLED
    assert list(home.iterdir()) == []
    scratch = pods.folder / "scratch-0"
    assert [path for path in scratch.rglob("*") if path.is_file()] == []
