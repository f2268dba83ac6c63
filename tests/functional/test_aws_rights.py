"""What pods and controller ask of AWS is what the policies of the EKS guide allow, and no key of another namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from support.bad_videos import flipped
from support.controller_world import CONFIG, QUICK, ControllerWorld, controller_world
from support.dynamodb import FaultyDynamoDb
from support.dynamodb import faulty_proxy as table_proxy
from support.pods import PodJob, job_manifest
from support.rights import (
    allowed,
    bucket_key,
    bucket_right,
    keys_of,
    leading_keys,
    statements,
    table_rights,
    within,
)
from support.s3 import Faults, direct_client, use_endpoint
from support.s3 import faulty_proxy as bucket_proxy
from support.samples import sample_path
from videojob.local.triton.server import EmbeddedTriton
from videojob.planning.state.ending import Ending

NAMESPACE = "team"
WORKER = statements("ResultsOfOwnNamespace")
CONTROLLER = [one for one in statements("ResultsOfAllNamespaces") if one["Sid"] != "ReadPrices"]
"""Of its policy what is about results; tests/contract/test_price_sources.py has the rest."""
OF_CREATING = {
    "dynamodb:CreateTable",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:UpdateTimeToLive",
}
"""With `results.createTable` and `results.retentionDays`, as the guide says."""
RETENTION_S = 7 * 86_400
_ITEM_WRITES = {"PutItem", "UpdateItem", "BatchWriteItem", "TransactWriteItems"}


@pytest.fixture(scope="module")
def videos(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bucket with versions: a good video and one that breaks; another bucket without versions."""
    client = direct_client(s3_url)
    for bucket in ("videos", "plain"):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket="videos", VersioningConfiguration={"Status": "Enabled"})
    clip = sample_path("bikes.mp4")
    damaged = flipped(
        tmp_path_factory.mktemp("clips") / "a.mp4", clip.read_bytes(), first=0.45, last=0.55, flips=60, seed=3
    )
    client.put_object(Bucket="videos", Key="team/some/damaged.mp4", Body=damaged.read_bytes())
    client.put_object(Bucket="videos", Key="team/some/good.mp4", Body=clip.read_bytes())
    client.put_object(Bucket="plain", Key="team/one.mp4", Body=sample_path("carphone.mp4").read_bytes())
    return s3_url


@pytest.fixture
def buckets(videos: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with bucket_proxy(videos) as proxy:
        use_endpoint(monkeypatch, proxy.url)
        yield proxy


@pytest.fixture
def table(results_url: str) -> Iterator[FaultyDynamoDb]:
    with table_proxy(results_url) as proxy:
        yield proxy


def test_planner_and_workers_ask_for_what_their_policy_allows_and_keep_to_their_namespace(
    buckets: Faults, table: FaultyDynamoDb, results_url: str, tmp_path: Path, face_server: EmbeddedTriton
) -> None:
    inputs = [{"s3": {"bucket": "videos", "prefix": "team/some/"}}, {"s3": {"bucket": "plain", "key": "team/one.mp4"}}]
    manifest = job_manifest("", inputs=inputs, sampling={"framesPerSecond": "1"})
    name = f"results-{uuid4().hex[:8]}"
    controller = PodJob(manifest, tmp_path / "pods", name, results_url, face_server.grpc_address)
    controller.store().create_table()
    pods = replace(controller, url=table.url, more={"retentionSeconds": RETENTION_S})

    assert pods.plan().code == Ending.SETTLED
    head, run = controller.begin()
    # Twice, as each pod may run: the second finds what the first has stored.
    codes = [pods.index(number).code for number in (*range(head.segments), 0)]
    assert codes == [Ending.SETTLED] * (head.segments + 1)
    assert len(controller.store().failures(run)) == 1
    assert len(controller.store().committed(run)) == head.segments - 1

    assert _dated(table) == {True}
    rights = [right for operation, request in table.asked for right in table_rights(operation, request)]
    used = {action for action, _ in rights} | {bucket_right(method, path) for method, path, _ in buckets.seen}
    assert used == allowed(WORKER), "not one action more is allowed than asked for"
    (own,) = [one for one in WORKER if one["Sid"] == "ResultsOfOwnNamespace"]
    keys = {key for _, key in rights}
    assert None not in keys
    assert [key for key in keys if key is not None and not within(key, leading_keys(own, NAMESPACE))] == []
    # A namespace whose name begins with this one's is another one.
    assert not any(within(str(key), leading_keys(own, other)) for key in keys for other in ("tea", "team-b", "other"))

    for method, path, _ in buckets.seen:
        sid = "FindVideos" if bucket_right(method, path) == "s3:ListBucket" else "ReadVideos"
        assert within(bucket_key(path), keys_of(WORKER, sid, NAMESPACE)), path
        assert not any(within(bucket_key(path), keys_of(WORKER, sid, other)) for other in ("tea", "team-b", "other"))


def _dated(table: FaultyDynamoDb) -> set[bool]:
    """Whether the items that were written have a time at which they expire."""
    return {'"expires_at": {"N": ' in json.dumps(request) for name, request in table.asked if name in _ITEM_WRITES}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with controller_world(tmp_path_factory.mktemp("world")) as made:
        yield made


def test_the_controller_asks_for_what_its_policy_allows(world: ControllerWorld) -> None:
    with table_proxy(world.table_url) as table:
        watched = replace(world, table_url=table.url)
        results = {**CONFIG["results"], "retentionDays": RETENTION_S // 86_400}
        with watched.controller(*QUICK, config={**CONFIG, "results": results}) as running:
            uids = {world.start("lobby"), world.start("night")}
            for name in ("lobby", "night"):
                running.wait(f"the end of {name}", partial(world.has_ended, name))
        rights = [right for operation, request in table.asked for right in table_rights(operation, request)]
        assert _dated(table) == {True}
    used = {action for action, _ in rights}
    assert OF_CREATING <= used <= allowed(CONTROLLER) | OF_CREATING
    # Parts of a summary that outgrows an item are written in batches; here it is small.
    assert allowed(CONTROLLER) - used <= {"dynamodb:BatchWriteItem"}
    assert {key.partition("#")[0] for _, key in rights if key is not None} == {f"team-a.{uid}" for uid in uids}
