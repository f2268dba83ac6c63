"""The adapters of prices before servers that answer as AWS and Karpenter do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from support.price_servers import (
    Answer,
    AnswerServer,
    answer_server,
    json_refusal,
    price_list,
    spot_history,
    xml_refusal,
)
from support.price_sources import exposition, product, spot_entry
from support.rights import allowed, statements
from support.s3 import use_endpoint
from videojob.adapters.aws import prices as aws
from videojob.adapters.prometheus.karpenter_prices import KarpenterPrices
from videojob.errors import PricesUnavailable

NOW_S = 1_796_000_000.0
A = "us-east-1a"
SPOT_OK = spot_history([spot_entry("g6.xlarge", A, "0.35", "2026-11-30T07:00:00.000Z")])
LIST_OK = price_list([product("g6.xlarge", "0.8048000000")])
HTML: Answer = (200, "text/html", "<!doctype html><html><body>Sign in</body></html>")
PAGE = exposition({("g6.xlarge", "on-demand", A): "0.8048", ("g6.xlarge", "spot", A): "0.35"}, {})
METRICS: Answer = (200, "text/plain; version=0.0.4", PAGE)
NO_OFFERS: Answer = (200, "text/plain", "# HELP up Up.\n# TYPE up gauge\nup 1\n")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AnswerServer]]:
    """Starts one server and points AWS' clients at it."""
    opened = []

    def start(answer: Callable[[str, dict[str, Any]], Answer]) -> AnswerServer:
        context = answer_server(answer)
        server = context.__enter__()
        opened.append(context)
        use_endpoint(monkeypatch, server.url)
        return server

    yield start
    for context in opened:
        context.__exit__(None, None, None)


def answers(of_list: Answer = LIST_OK, of_spot: Answer = SPOT_OK) -> Callable[[str, dict[str, Any]], Answer]:
    return lambda action, _: of_list if action == "GetProducts" else of_spot


def reader(**more: Any) -> aws.AwsPrices:
    return aws.AwsPrices("us-east-1", ["g6.xlarge", "c7i.large"], **more)


def test_all_pages_of_both_apis_are_read_with_the_permissions_of_the_guide(serve: Callable[..., AnswerServer]) -> None:
    def answer(action: str, parameters: dict[str, Any]) -> Answer:
        is_first = "NextToken" not in parameters
        if action == "GetProducts":
            return price_list([product("g6.xlarge" if is_first else "c7i.large", "0.5")], "more" if is_first else "")
        zone = A if is_first else "us-east-1b"
        return spot_history(
            [spot_entry("g6.xlarge", zone, "0.2", "2026-11-30T07:00:00.000Z")], "on" if is_first else ""
        )

    server = serve(answer)
    found = reader().offers(NOW_S)
    assert [(str(one.key), one.usd_per_h) for one in found.quotes] == [
        ("c7i.large on-demand", Decimal("0.5")),
        ("g6.xlarge on-demand", Decimal("0.5")),
        (f"g6.xlarge spot in {A}", Decimal("0.2")),
        ("g6.xlarge spot in us-east-1b", Decimal("0.2")),
    ]
    assert (sorted(found.covers), found.notices) == (["on-demand", "spot"], ())
    services = {"GetProducts": "pricing", "DescribeSpotPriceHistory": "ec2"}
    asked = {f"{services[action]}:{action}" for action, _ in server.seen}
    (statement,) = [one for one in statements("ReadPrices") if one["Sid"] == "ReadPrices"]
    assert asked == allowed([statement])


def test_requests_filter_and_ask_for_the_price_of_now(serve: Callable[..., AnswerServer]) -> None:
    server = serve(answers())
    reader().offers(NOW_S)
    (_, listed), (_, spot) = server.seen
    filters = {one["Field"]: one["Value"] for one in listed["Filters"]}
    assert filters == {
        "regionCode": "us-east-1",
        "serviceCode": "AmazonEC2",
        "preInstalledSw": "NA",
        "operatingSystem": "Linux",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "tenancy": "Shared",
        "productFamily": "Compute Instance",
    }
    assert spot["StartTime"] == "2026-11-30T00:53:20Z"
    assert (spot["ProductDescription.1"], spot["InstanceType.1"]) == ("Linux/UNIX", "c7i.large")


@pytest.mark.parametrize(
    ("region", "nearest"),
    [
        ("us-west-2", "us-east-1"),
        ("eu-central-1", "eu-central-1"),
        ("me-south-1", "eu-central-1"),
        ("ap-northeast-1", "ap-south-1"),
        ("sa-east-1", "us-east-1"),
        ("ca-central-1", "us-east-1"),
    ],
)
def test_the_nearest_region_answers_for_the_price_list(region: str, nearest: str) -> None:
    assert aws.price_list_region(region) == nearest


@pytest.mark.parametrize(
    ("of_list", "of_spot", "covers", "notice"),
    [
        (
            LIST_OK,
            xml_refusal(403, "UnauthorizedOperation"),
            "on-demand",
            "The permission ec2:DescribeSpotPriceHistory is missing (UnauthorizedOperation).",
        ),
        (
            json_refusal(400, "AccessDeniedException"),
            SPOT_OK,
            "spot",
            "The permission pricing:GetProducts is missing (AccessDeniedException).",
        ),
        (
            json_refusal(400, "ThrottlingException", "Rate exceeded"),
            SPOT_OK,
            "spot",
            "AWS throttles pricing:GetProducts (ThrottlingException).",
        ),
        (
            price_list([product("g6.xlarge", "5.7", currency="CNY")]),
            SPOT_OK,
            "spot",
            "AWS' price list is in CNY, and only prices in USD can be compared.",
        ),
        (HTML, SPOT_OK, "spot", "An answer of AWS' price APIs has no PriceList."),
    ],
)
def test_one_api_that_cannot_be_used_is_named_and_the_other_one_counts(
    serve: Callable[..., AnswerServer], of_list: Answer, of_spot: Answer, covers: str, notice: str
) -> None:
    serve(answers(of_list, of_spot))
    found = reader().offers(NOW_S)
    assert (list(found.covers), len(found.quotes)) == ([covers], 1)
    assert found.notices[0].startswith(notice)


@pytest.mark.parametrize(
    ("of_list", "of_spot", "message"),
    [
        (json_refusal(400, "AccessDeniedException"), xml_refusal(403, "AuthFailure"), "pricing:GetProducts is missing"),
        (json_refusal(400, "UnrecognizedClientException", "bad token"), HTML, "AWS refuses pricing:GetProducts: bad"),
        (HTML, HTML, "an answer of AWS' price APIs has no PriceList"),
        (price_list(["{"]), (200, "text/xml", "<a"), "an entry of AWS' price list is no JSON"),
    ],
)
def test_neither_api(serve: Callable[..., AnswerServer], of_list: Answer, of_spot: Answer, message: str) -> None:
    serve(answers(of_list, of_spot))
    with pytest.raises(PricesUnavailable, match=message) as caught:
        reader().offers(NOW_S)
    assert caught.value.retryable


def test_pages_without_end_are_given_up(serve: Callable[..., AnswerServer]) -> None:
    server = serve(
        lambda action, _: price_list([product("g6.xlarge", "0.8")], "on") if action == "GetProducts" else SPOT_OK
    )
    found = reader(most_pages=7).offers(NOW_S)
    assert found.notices == ("The answer of pricing:GetProducts does not end after 7 pages.",)
    assert len([action for action, _ in server.seen if action == "GetProducts"]) == 7


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PricesUnavailable, match="AWS cannot be asked for pricing:GetProducts: Unable to locate cred"):
        reader().offers(NOW_S)


def test_a_region_in_china_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(PricesUnavailable, match="AWS bills cn-north-1 in CNY"):
        aws.AwsPrices("cn-north-1", [])


# Karpenter.


def karpenter(url: str, **more: Any) -> KarpenterPrices:
    return KarpenterPrices(f"{url}/metrics", "us-east-1", **more)


def test_the_metrics_page_is_read() -> None:
    with answer_server(lambda *_: METRICS) as server:
        found = karpenter(server.url).offers(NOW_S)
    assert [one.usd_per_h for one in found.quotes] == [Decimal("0.8048"), Decimal("0.35")]


def test_a_replica_that_does_not_lead_is_asked_past() -> None:
    pages = iter([NO_OFFERS, NO_OFFERS, METRICS])
    with answer_server(lambda *_: next(pages)) as server:
        assert len(karpenter(server.url).offers(NOW_S).quotes) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (HTML, "the address answers with HTML or JSON, not with metrics"),
        ((401, "text/plain", "Unauthorized"), "/metrics answers 401 Unauthorized"),
        ((302, "text/plain", ""), "/metrics answers 302 Found"),
        (NO_OFFERS, "of a replica that does not lead"),
        ((200, "text/plain", "\x00\x01"), "not with metrics"),
        ((200, "text/plain", ""), "the metrics page is empty"),
    ],
)
def test_a_page_that_is_none(answer: Answer, message: str) -> None:
    with answer_server(lambda *_: answer) as server, pytest.raises(PricesUnavailable, match=message):
        karpenter(server.url).offers(NOW_S)


def test_a_server_that_says_nothing_is_given_up() -> None:
    def hang(*_: object) -> Answer:
        server.released.wait(60)
        return METRICS

    with (
        answer_server(hang) as server,
        pytest.raises(PricesUnavailable, match=r"was not read in 0\.3 s|cannot be read"),
    ):
        karpenter(server.url, patience_s=0.3).offers(NOW_S)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid", "nonsense", "http://[::1"])
def test_an_address_that_leads_nowhere(url: str) -> None:
    with pytest.raises(PricesUnavailable, match="cannot be read"):
        karpenter(url).offers(NOW_S)
