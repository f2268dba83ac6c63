"""Prices from AWS: on demand from the price list, spot from EC2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from videojob.errors import PricesUnavailable
from videojob.planning.cost.aws_prices import parse_products, parse_spot
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.readings import PriceReading, Quote
from videojob.planning.cost.region_factors import refuse_other_currencies
from videojob.planning.installation import CapacityType
from videojob.ports.prices import PriceReader

MOST_PAGES = 100
"""Of one answer: the price list has about a dozen, and the spot prices of all types five."""
_CONFIG = Config(retries={"total_max_attempts": 3, "mode": "standard"}, connect_timeout=5, read_timeout=15)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})
_FILTERS: Final = {
    "serviceCode": "AmazonEC2",
    "preInstalledSw": "NA",
    "operatingSystem": "Linux",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
    "tenancy": "Shared",
    "productFamily": "Compute Instance",
}
_NEAREST = {"ap": "ap-south-1", "eu": "eu-central-1", "me": "eu-central-1", "af": "eu-central-1", "il": "eu-central-1"}


def price_list_region(region: str) -> str:
    """The nearest of the three regions that answer for the price list."""
    return _NEAREST.get(region.partition("-")[0], "us-east-1")


class AwsPrices(PriceReader):
    """Asks with the credentials of its process.

    Args:
        region: whose prices.
        types: instance types whose spot prices are asked for.
        most_pages: after so many pages an answer is taken for one without end.
    """

    source = PriceSource.AWS

    def __init__(self, region: str, types: Collection[str], *, most_pages: int = MOST_PAGES) -> None:
        refuse_other_currencies(region)
        self._region, self._types, self._most_pages = region, sorted(types), most_pages

    def offers(self, now_s: float) -> PriceReading:
        asked: dict[CapacityType, Callable[[], tuple[Quote, ...]]] = {
            "on-demand": self._on_demand,
            "spot": lambda: self._spot(now_s),
        }
        quotes: dict[CapacityType, tuple[Quote, ...]] = {}
        problems: list[PricesUnavailable] = []
        for capacity_type, ask in asked.items():
            try:
                quotes[capacity_type] = ask()
            except PricesUnavailable as error:
                problems.append(error)
        if not quotes:
            raise problems[0]
        notices = tuple(f"{one.message[0].upper()}{one.message[1:]}." for one in problems)
        return PriceReading(
            self.source, tuple(one for all_ in quotes.values() for one in all_), frozenset(quotes), notices
        )

    def _on_demand(self) -> tuple[Quote, ...]:
        filters = [
            {"Type": "TERM_MATCH", "Field": field, "Value": value}
            for field, value in {"regionCode": self._region, **_FILTERS}.items()
        ]
        client = _client("pricing", price_list_region(self._region))

        def page(token: Mapping[str, str]) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = client.get_products(
                ServiceCode="AmazonEC2", Filters=filters, FormatVersion="aws_v1", MaxResults=100, **token
            )
            return answer

        return parse_products(self._pages("pricing:GetProducts", page), self._region)

    def _spot(self, now_s: float) -> tuple[Quote, ...]:
        client = _client("ec2", self._region)

        def page(token: Mapping[str, str]) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = client.describe_spot_price_history(
                StartTime=datetime.fromtimestamp(now_s, UTC),  # the price of now, however old the last change is
                ProductDescriptions=["Linux/UNIX"],
                InstanceTypes=self._types,
                MaxResults=1000,
                **token,
            )
            return answer

        return parse_spot(self._pages("ec2:DescribeSpotPriceHistory", page))

    def _pages(
        self, permission: str, page: Callable[[Mapping[str, str]], Mapping[str, Any]]
    ) -> Iterator[Mapping[str, Any]]:
        token: dict[str, str] = {}
        for _ in range(self._most_pages):
            try:
                answer = page(token)
            except (ClientError, BotoCoreError, ResponseParserError, ValueError) as error:
                raise _named(error, permission) from error
            yield answer
            if not answer.get("NextToken"):
                return
            token = {"NextToken": str(answer["NextToken"])}
        raise PricesUnavailable(f"the answer of {permission} does not end after {self._most_pages} pages")


def _client(service: Any, region: str) -> Any:
    try:
        return boto3.session.Session().client(service, region_name=region, config=_CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise PricesUnavailable(f"AWS cannot be asked from here: {error}") from error


def _named(error: Exception, permission: str) -> PricesUnavailable:
    """Our word for what boto3 raised."""
    if not isinstance(error, ClientError):
        return PricesUnavailable(f"AWS cannot be asked for {permission}: {str(error).partition(chr(10))[0]}")
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _DENIED:
        hint = f"Add {permission} to the controller's policy: docs/guides/install-eks.md has it."
        return PricesUnavailable(f"the permission {permission} is missing ({code})", hint=hint)
    if code in _THROTTLED:
        return PricesUnavailable(f"AWS throttles {permission} ({code})", retryable=True)
    words = error.response.get("Error", {}).get("Message") or code
    return PricesUnavailable(f"AWS refuses {permission}: {words} ({code})")
