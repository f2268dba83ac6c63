"""Prices from the metrics page of Karpenter in the same cluster."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from time import monotonic
from types import MappingProxyType

import httpx

from videojob.errors import PricesUnavailable
from videojob.planning.cost.karpenter_metrics import PRICE, parse_karpenter
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.readings import PriceReading
from videojob.ports.prices import PriceReader

MOST_BYTES = 64 << 20
"""Of a page: with 1,400 types, six zones and three capacity types the two metrics take about 8 MiB."""
_CONNECT_S = 5.0
_NO_PRICES: Mapping[str, Decimal] = MappingProxyType({})


class KarpenterPrices(PriceReader):
    """Reads the page afresh each time.

    Args:
        url: of the page.
        region: of the cluster.
        home: on-demand prices of us-east-1 by type; see `parse_karpenter`.
        tries: requests, each by a connection of its own. Of several replicas only the one that leads has offers, and
            the Service picks one for each connection.
        patience_s: for one page from its request to its last byte.
    """

    source = PriceSource.KARPENTER

    def __init__(
        self,
        url: str,
        region: str,
        home: Mapping[str, Decimal] = _NO_PRICES,
        *,
        tries: int = 4,
        patience_s: float = 12.0,
    ) -> None:
        self._url, self._region, self._home = url, region, home
        self._tries, self._patience_s = tries, patience_s
        self._timeout = httpx.Timeout(patience_s, connect=min(_CONNECT_S, patience_s))

    def offers(self, now_s: float) -> PriceReading:  # noqa: ARG002 - the page is about no other time than now
        text = ""
        for _ in range(self._tries):
            text = self._page()
            if f"\n{PRICE}{{" in text:
                break
        return parse_karpenter(text, self._region, self._home)

    def _page(self) -> str:
        until_s = monotonic() + self._patience_s
        body = bytearray()
        try:
            with (
                httpx.Client(timeout=self._timeout, trust_env=False) as client,
                client.stream("GET", self._url, headers={"Accept": "text/plain"}) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise PricesUnavailable(f"{self._url} answers {answer.status_code} {answer.reason_phrase}".rstrip())
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise PricesUnavailable(f"{self._url} answers with more than {MOST_BYTES >> 20} MiB")
                    if monotonic() > until_s:
                        raise PricesUnavailable(f"{self._url} was not read in {self._patience_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PricesUnavailable(f"{self._url} cannot be read: {_words(error)}") from error
        return body.decode("utf-8", errors="replace")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
