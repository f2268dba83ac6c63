"""Bad input to prices, speeds and estimates: each case with its message.

None crashes, none starts anything, and none makes a price of 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from support.command import Finished, videojob
from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from support.plan_questions import AROUND, question
from support.price_servers import (
    Answer,
    answer_server,
    json_refusal,
    price_list,
    spot_history,
    xml_refusal,
)
from support.price_sources import exposition, product, spot_entry
from support.s3 import Refusal, direct_client, faulty_proxy, moto_server, use_endpoint
from support.samples import sample_path
from videojob.adapters.files.package_data import offers
from videojob.cli.cluster.speeds import Where, imported, read_book
from videojob.controller.price_sources import prices_of
from videojob.errors import UsageError
from videojob.kube.kinds import CONFIG_MAPS
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import GRACE_S, PriceSettings
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.make import make_plan
from videojob.planning.placement.plan.refusal import why_no_plan
from videojob.planning.placement.plan.relax import NoPlan
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import Allowed
from videojob.planning.throughput.book import SCHEMA, Book, Series, text_of
from videojob.planning.throughput.measured import Quantity, Subject

A = "us-east-1a"
ON_DEMAND, SPOT = ("g6.xlarge", "on-demand", A), ("g6.xlarge", "spot", A)
CPU_ON_DEMAND = ("c7i.xlarge", "on-demand", A)
GOOD = exposition({ON_DEMAND: "0.8048", SPOT: "0.35", CPU_ON_DEMAND: "0.1785"}, {})
LIST = price_list([product("g6.xlarge", "0.8048"), product("c7i.xlarge", "0.1785")])
HISTORY = spot_history([spot_entry("g6.xlarge", A, "0.35", "2026-11-30T07:00:00.000Z")])
CPU_HISTORY = spot_history([spot_entry("c7i.xlarge", A, "0.06", "2026-11-30T07:00:00.000Z")])
NOBODY: Answer = (503, "text/plain", "")
REFUSED = json_refusal(400, "AccessDeniedException"), xml_refusal(403, "UnauthorizedOperation")


def page(text: str, status: int = 200) -> Answer:
    return status, "text/plain; version=0.0.4", text


def one_price(usd: str) -> Answer:
    return page(exposition({ON_DEMAND: usd, SPOT: "0.35", CPU_ON_DEMAND: "0.1785"}, {}))


# Sources of prices.


class Cluster:
    """A controller's prices before servers that answer as told."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        sources = (PriceSource.KARPENTER, PriceSource.AWS)
        self._prices = prices_of(PriceSettings("us-east-1", sources, f"{url}/metrics"), clock)
        self._clock = clock

    def after(self, seconds: float) -> OfferTable:
        """The table when the sources were asked again."""
        self._clock.seconds += seconds
        self._prices.refresh()
        return self._prices.table


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cluster]]:
    """Starts a cluster whose metrics page, price list and spot prices are these."""
    opened = []

    def start(metrics: Answer, listed: Answer = REFUSED[0], history: Answer = REFUSED[1]) -> Cluster:
        answers = {"": metrics, "GetProducts": listed, "DescribeSpotPriceHistory": history}
        server = answer_server(lambda action, _: answers[action])
        opened.append(server)
        url = server.__enter__().url
        use_endpoint(monkeypatch, url)
        return Cluster(url, FakeClock())

    yield start
    for one in opened:
        one.__exit__(None, None, None)


def assert_usable(table: OfferTable) -> None:
    """Every price is one, and a job before this table costs something."""
    assert table.offers
    assert all(one.price.usd_per_h > Decimal("0.001") for one in table.offers)
    found = make_plan(question(3000, offers=table))
    assert isinstance(found, Plan)
    assert found.chosen.usd > 0
    assert found.usd_low > 0


SOURCES: dict[str, tuple[Answer, Answer, Answer, str]] = {
    "no price source at all": (NOBODY, *REFUSED, "Prices come from the project's static table: on demand of 2026-"),
    "the metrics address answers HTML": (
        (200, "text/html", "<!doctype html><html>Sign in</html>"),
        LIST,
        HISTORY,
        "the address answers with HTML or JSON, not with metrics. Instead, prices come from AWS' price APIs.",
    ),
    "the metrics address answers 401": (
        page("Unauthorized", 401),
        LIST,
        HISTORY,
        "/metrics answers 401 Unauthorized. Instead, prices come from AWS' price APIs.",
    ),
    "the metrics address answers NaN": (
        one_price("NaN"),
        LIST,
        HISTORY,
        "Karpenter's metrics have no usable price of g6.xlarge on-demand in us-east-1a (it is NaN)",
    ),
    "the metrics address answers 0": (
        one_price("0"),
        LIST,
        HISTORY,
        "Karpenter's metrics have no usable price of g6.xlarge on-demand in us-east-1a (it is 0)",
    ),
    "the metrics address answers a negative price": (
        one_price("-0.8"),
        LIST,
        HISTORY,
        "Karpenter's metrics have no usable price of g6.xlarge on-demand in us-east-1a (it is -0.8)",
    ),
    "the metrics address answers a thousand-fold price": (
        one_price("804.8"),
        LIST,
        HISTORY,
        "Karpenter's metrics have no usable price of g6.xlarge on-demand in us-east-1a (it is 804.8, where 0.8048 is",
    ),
    "the metrics address has a reserved offer at 0 and no other": (
        page(exposition({("g6.xlarge", "reserved", A): "0"}, {})),
        LIST,
        HISTORY,
        "Karpenter's metrics cannot be used: Karpenter's metrics have no prices",
    ),
    "the metrics address answers with another region": (
        page(exposition({("g6.xlarge", "on-demand", "us-west-2a"): "0.8"}, {})),
        LIST,
        HISTORY,
        "are about us-west-2a, and this cluster is in us-east-1. Instead, prices come from AWS' price APIs.",
    ),
    "an API throttles": (
        NOBODY,
        json_refusal(400, "ThrottlingException", "Rate exceeded"),
        xml_refusal(503, "RequestLimitExceeded"),
        "AWS throttles pricing:GetProducts (ThrottlingException). Instead, prices come from the static table.",
    ),
    "an API paginates without end": (
        NOBODY,
        price_list([product("c7i.xlarge", "0.1785")], "on"),
        CPU_HISTORY,
        "The answer of pricing:GetProducts does not end after 100 pages.",
    ),
    "an API answers CNY": (
        NOBODY,
        price_list([product("c7i.xlarge", "1.3", currency="CNY")]),
        CPU_HISTORY,
        "AWS' price list is in CNY, and only prices in USD can be compared.",
    ),
}


@pytest.mark.parametrize(("metrics", "listed", "history", "message"), SOURCES.values(), ids=SOURCES)
def test_a_bad_source_of_prices_is_named_and_another_one_stands_in(
    cluster: Callable[..., Cluster], metrics: Answer, listed: Answer, history: Answer, message: str
) -> None:
    table = cluster(metrics, listed, history).after(0)
    assert message in "\n".join(table.notices)
    assert_usable(table)


def test_a_reserved_offer_at_0_beside_others_is_no_offer(cluster: Callable[..., Cluster]) -> None:
    prices = {CPU_ON_DEMAND: "0.1785", ("c7i.xlarge", "spot", A): "0.06", ("g6.xlarge", "reserved", A): "0"}
    table = cluster(page(exposition(prices, {}))).after(0)
    assert {one.capacity_type for one in table.offers} == {"on-demand", "spot"}
    assert_usable(table)


def test_a_metrics_address_that_says_nothing_for_10_minutes_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([page(GOOD)])

    def answer(action: str, _: object) -> Answer:
        listed = LIST if action == "GetProducts" else HISTORY
        return next(answers, NOBODY) if not action else listed

    with answer_server(answer) as server:
        use_endpoint(monkeypatch, server.url)
        there = Cluster(server.url, FakeClock())
        assert there.after(0).notices == ()
        assert "503 Service Unavailable. Figures that are 5 min old stay in use." in there.after(301).notices[0]
        later = there.after(GRACE_S)
    assert later.notices[0].endswith("503 Service Unavailable. Instead, prices come from AWS' price APIs.")
    assert {one.price.source for one in later.offers} == {PriceSource.AWS}
    assert_usable(later)


# The catalogue of speeds.

YOLO = Subject(Quantity.REPLICA, "sha256:1", 409_600, "t4", "tensorrt", 16)
SPEEDS = Book({YOLO: Series((400.0,), 1_700_000_000, "yolo")})
CATALOGUES: dict[str, tuple[str, str]] = {
    "one that is none": ("<html>Sign in</html>", "it is not JSON"),
    "one of another kind": ('{"kind": "List"}', 'it is not a catalogue of speeds: its "schema" is not'),
    "a negative figure": (text_of(SPEEDS).replace("400.0", "-400.0"), "row 1: -400 frames/s cannot be: 0.001 to"),
    "an infinite figure": (text_of(SPEEDS).replace("400.0", "1e999"), "row 1: inf is not a number of frames/s"),
    "an absurd figure": (text_of(SPEEDS).replace("400.0", "1e30"), "row 1: 1e+30 frames/s cannot be: 0.001 to 1e+06"),
    "10^6 rows": (json.dumps({"schema": SCHEMA, "measured": [{}] * 10**6}), "and a catalogue has 700,000 at most"),
}


@pytest.mark.parametrize(("text", "message"), CATALOGUES.values(), ids=CATALOGUES)
def test_a_bad_catalogue_is_rejected_whole(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "speeds.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_book(tmp_path / "speeds.json")
    assert "speeds.json is not taken: " in caught.value.message
    assert message in caught.value.message


def test_a_catalogue_of_an_unknown_model_changes_nothing() -> None:
    api = FakeCluster()
    with pytest.raises(UsageError) as caught:
        imported(api, Where("system", ("sha256:other",)), SPEEDS)
    assert caught.value.message == "the file has nothing for this installation, which does not have yolo"
    assert not api.names(CONFIG_MAPS)


# What a job asks for, before the planner. tests/unit/planning/placement/plan/test_refusal.py has more.

NO_QUOTA = replace(AROUND, quota_vcpus={("g", "spot"): 0, ("g", "on-demand"): 0})
ONLY_GPUS = Allowed(accelerators=("gpu",))
PLANS: dict[str, tuple[Question, str, str]] = {
    "a deadline that has passed": (
        question(3000, Allowed(deadline_s=-60)),
        "the deadline has passed",
        "Set spec.deadline.completeWithin to ",
    ),
    "a deadline shorter than any start": (
        question(3000, Allowed(deadline_s=20)),
        "no hardware meets the deadline of 20 s",
        "Set spec.deadline.completeWithin to ",
    ),
    "types that do not exist": (
        question(3000, Allowed(instance_types=("g4dn.xlarg",))),
        "g4dn.xlarg is in no table of instance types (nearest: g4dn.xlarge, g4dn.2xlarge, ",
        "to spec.compute.instanceTypes.",
    ),
    "types without a price": (
        question(3000, ONLY_GPUS, offers=OfferTable("us-east-1", ())),
        "no hardware that the job allows can run it",
        "",
    ),
    "types with too little GPU memory": (
        question(
            3000,
            Allowed(instance_types=("g4dn.xlarge",)),
            around=replace(AROUND, replica={"gpu": replace(AROUND.replica["gpu"], gpu_memory_mib=24_000)}),
        ),
        "g4dn.xlarge has 16,384 MiB of GPU memory, and a server needs 24,000",
        "",
    ),
    "types of another architecture than the image": (
        question(3000, Allowed(instance_types=("c7g.xlarge",))),
        "c7g.xlarge is arm64, and a server's image is for amd64",
        "to spec.compute.instanceTypes.",
    ),
    "quota 0": (
        question(3000, ONLY_GPUS, around=NO_QUOTA),
        "no hardware that the job allows can run it",
        "Ask AWS for 4 vCPUs of quota for spot instances of class g.",
    ),
}


@pytest.mark.parametrize(("asked", "why", "change"), PLANS.values(), ids=PLANS)
def test_a_job_that_nothing_can_run_says_why_and_what_would_do(asked: Question, why: str, change: str) -> None:
    found = make_plan(asked)
    assert isinstance(found, NoPlan)
    assert why in why_no_plan(asked)
    assert change in " ".join(found.changes)


def test_quota_that_cannot_be_read_binds_nothing() -> None:
    assert make_plan(question(3000, around=replace(AROUND, quota_vcpus={}))) == make_plan(question(3000))


# `videojob estimate`, as people call it.


def estimate_of(folder: Path, **spec: object) -> Finished:
    """Of a manifest with one short video."""
    document = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "job"},
        "spec": {
            "inputs": [{"file": {"path": str(sample_path("bikes.mp4"))}}],
            "model": {"name": "face_detector"},
            **spec,
        },
    }
    (folder / "job.yaml").write_text(json.dumps(document))
    return videojob("estimate", folder / "job.yaml")


MANIFESTS: dict[str, tuple[dict[str, object], str]] = {
    "a deadline of 0": ({"deadline": {"completeWithin": "0s"}}, "completeWithin: must be at least 1s and at most 720h"),
    "a deadline shorter than any start": (
        {"deadline": {"completeWithin": "1s"}},
        "NoPlacement: no hardware meets the deadline of 1 s. Set spec.deadline.completeWithin to ",
    ),
    "a budget of 0": ({"budget": {"maxCost": "0"}}, "spec.budget.maxCost: must be at least 0.000001"),
    "a budget in euros": ({"budget": {"maxCost": "1 EUR"}}, 'Expected: a decimal number such as 25 or "0.35"'),
    "a type that does not exist": (
        {"compute": {"instanceTypes": ["c7i.larg"]}},
        "c7i.larg is in no table of instance types (nearest: c7i.large, c7i.xlarge, ",
    ),
    "a type that has only a part of a GPU": (
        {"compute": {"instanceTypes": ["g6f.large"]}},
        "g6f.large has only a part of a GPU, and a server needs 1.",
    ),
    "a type of another architecture": (
        {"compute": {"instanceTypes": ["c7g.xlarge"]}},
        "c7g.xlarge is arm64, and a server's image is for amd64.",
    ),
}


@pytest.mark.parametrize(("spec", "message"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_asks_for_the_impossible(tmp_path: Path, spec: dict[str, object], message: str) -> None:
    done = estimate_of(tmp_path, **spec)
    assert done.code not in {0, 3}
    assert message in done.err
    assert "Traceback" not in done.err
    assert "$" not in done.out


def test_a_region_that_is_not_billed_in_usd_has_no_price() -> None:
    done = videojob("estimate", sample_path("bikes.mp4"), "--region", "cn-north-1")
    assert done.code != 0
    assert "AWS bills cn-north-1 in CNY, and only prices in USD can be compared." in done.err
    assert "$" not in done.out


@pytest.mark.parametrize("region", ["mars", "us-east-1a", "", "US-EAST-1"])
def test_what_is_no_region_has_no_price(region: str) -> None:
    done = videojob("estimate", sample_path("bikes.mp4"), "--region", region)
    assert (done.code, done.out) == (2, "")
    assert f"{region} is no name of an AWS region. Give one such as eu-central-1." in done.err


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """S3 with a folder without videos, and one with a good and an unreadable video."""
    with moto_server() as url:
        client = direct_client(url)
        client.create_bucket(Bucket="plain")
        client.put_object(Bucket="plain", Key="texts/letter.txt", Body=b"Dear all")
        client.put_object(Bucket="plain", Key="mixed/a.mp4", Body=sample_path("bikes.mp4").read_bytes())
        client.put_object(Bucket="plain", Key="mixed/b.mp4", Body=b"Dear all, this is no video. " * 100)
        yield url


def test_a_prefix_without_videos_has_no_price(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, bucket)
    done = videojob("estimate", "s3://plain/texts/")
    assert done.code not in {0, 3}
    assert "InputNotFound" in done.err
    assert "$" not in done.out


def test_a_prefix_with_one_unreadable_video_has_the_price_of_the_others_and_says_so(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_endpoint(monkeypatch, bucket)
    done = videojob("estimate", "s3://plain/mixed/")
    assert done.code == 3, done.err
    assert done.out.startswith("1 video, ")
    assert "Not estimated: " in done.out
    assert "InputNotVideo" in done.out
    assert "$0.0" in done.out


def test_a_prefix_without_permission_has_no_price(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_proxy(bucket) as proxy:
        proxy.refusal = Refusal(403, "AccessDenied", "Access Denied")
        use_endpoint(monkeypatch, proxy.url)
        done = videojob("estimate", "s3://plain/mixed/")
    assert done.code not in {0, 3}
    assert "InputAccessDenied" in done.err
    assert "S3 denies access (AccessDenied: Access Denied)" in done.err
    assert "$" not in done.out


def test_the_static_table_has_no_price_of_0() -> None:
    assert all(one.price.usd_per_h > Decimal("0.001") for one in offers().offers)
