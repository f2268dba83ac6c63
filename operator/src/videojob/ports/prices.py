"""What capacity costs, as somebody else states it."""

from __future__ import annotations

from typing import Protocol

from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.readings import PriceReading


class PriceReader(Protocol):
    """One live source of prices.

    Attributes:
        source: which one.
    """

    source: PriceSource

    def offers(self, now_s: float) -> PriceReading:
        """What the source says now; takes a minute at the most.

        Args:
            now_s: the time, in seconds since the epoch.

        Raises:
            PricesUnavailable: it does not answer, refuses, or answers with what are no prices.
        """
        ...
