"""One table of offers from all sources: the first with a usable price wins, and the table says which and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from videojob.planning.cost.adjust import adjusted
from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.price import Precision, Price, PriceSource
from videojob.planning.cost.price_notices import source_notices
from videojob.planning.cost.price_settings import KEEP_S, PriceSettings
from videojob.planning.cost.readings import OfferKey
from videojob.planning.cost.source_state import SourceState
from videojob.planning.installation import CapacityType


def merge(static: OfferTable, states: Sequence[SourceState], settings: PriceSettings, now_s: float) -> OfferTable:
    """The offers of a region.

    A live source says which types and zones there are. For each price the order is: chart values, fresh figures of the
    live sources in their order, the last good figures of the first one, the static table. Where no live source is
    fresh, the last good figures are used for a week, with their age.

    Args:
        static: of the region.
        states: live sources, the preferred one first.
        settings: of this installation.
        now_s: the time, in seconds since the epoch.
    """
    fresh = [one for one in states if one.age_s(now_s) <= settings.stale_after_s(one.source)]
    live = fresh or [one for one in states if one.age_s(now_s) <= KEEP_S][:1]
    offers = list(_offers(static, live, settings, now_s)) if live else list(static.offers)
    offers, about_overrides = adjusted(offers, static.types, settings, now_s)
    notices = [*source_notices(states, live, settings, now_s), *about_overrides]
    if any(one.price.source is PriceSource.STATIC for one in offers):
        notices += static.notices
    return OfferTable(static.region, tuple(sorted(offers, key=_order)), tuple(notices), static.types)


def _offers(static: OfferTable, live: Sequence[SourceState], settings: PriceSettings, now_s: float) -> Iterator[Offer]:
    usual = {(one.type.name, one.capacity_type): one for one in static.offers}
    groups = [_by_group(state) for state in live]
    for name in sorted({name for one in groups for name, _ in one}):
        for capacity_type in get_args(CapacityType):
            group = (name, capacity_type)
            listing = next((at for at, one in enumerate(groups) if group in one), None)
            if listing is None:
                # It is not sold there, unless no source has looked.
                if not any(capacity_type in state.covers for state in live) and group in usual:
                    yield usual[group]
                continue
            question = _Question(live, [one.get(group, ()) for one in groups], settings, now_s)
            for key in groups[listing][group]:
                price = question.price(key)
                if price is not None:
                    yield Offer(static.types[name], key.zone, capacity_type, price, question.is_available(key))
                elif group in usual:
                    yield replace(usual[group], zone=key.zone, is_available=question.is_available(key))


_Group = tuple[str, CapacityType]


def _by_group(state: SourceState) -> dict[_Group, list[OfferKey]]:
    """Offers that a source lists, or that are known of it without having been read this time."""
    found: dict[_Group, list[OfferKey]] = {}
    for key in sorted({*state.listed, *state.known}):
        found.setdefault((key.type, key.capacity_type), []).append(key)
    return found


@dataclass(frozen=True, slots=True)
class _Question:
    """What an offer of one type and capacity type costs.

    Attributes:
        live: sources, the preferred one first. keys: of that type in each.
        settings, now_s: as above.
    """

    live: Sequence[SourceState]
    keys: Sequence[Sequence[OfferKey]]
    settings: PriceSettings
    now_s: float

    def price(self, key: OfferKey) -> Price | None:
        """The zone's own where it is fresh, else another zone's where that is fresh, else the zone's last good one."""
        own = [price for state in self.live for price in _own(key, state)]
        fresh = next((one for one in own if self._is_fresh(one)), None)
        return fresh or self._of_another_zone() or next(iter(own), None)

    def is_available(self, key: OfferKey) -> bool | None:
        """What the first fresh source with that offer saw."""
        fresh = (one for one in self.live if self._is_timely(one.age_s(self.now_s), one.source))
        return next((one.listed[key] for one in fresh if key in one.listed), None)

    def _of_another_zone(self) -> Price | None:
        """The dearest, so that no plan counts on a price that nobody stated for its zone."""
        for state, keys in zip(self.live, self.keys, strict=True):
            fresh = [state.known[one] for one in keys if one in state.known and self._is_fresh(state.known[one])]
            if fresh:
                dearest = max(fresh, key=lambda one: one.usd_per_h)
                return replace(dearest, precision=Precision.OTHER_ZONE)
        return None

    def _is_fresh(self, price: Price) -> bool:
        return self._is_timely(price.age_s(self.now_s), price.source)

    def _is_timely(self, age_s: float, source: PriceSource) -> bool:
        return age_s <= self.settings.stale_after_s(source)


def _own(key: OfferKey, state: SourceState) -> list[Price]:
    """A price for the zone itself: its own, or one that holds in all zones."""
    return [state.known[one] for one in (key, key._replace(zone="")) if one in state.known][:1]


def _order(offer: Offer) -> tuple[str, str, str]:
    return offer.type.name, offer.capacity_type, offer.zone
