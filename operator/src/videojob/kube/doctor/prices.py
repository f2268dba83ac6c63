"""Whether the sources of prices can be used. PURE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from videojob.kube.doctor.findings import Finding, NotRead, ok, unchecked, warning
from videojob.planning.cost.adjust import adjusted
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.cost.readings import PriceReading

_GUIDE = "docs/guides/prices.md says what each source needs."
_CHECKS = {PriceSource.KARPENTER: "prices, Karpenter", PriceSource.AWS: "prices, AWS"}


def price_findings(
    settings: PriceSettings, static: OfferTable, readings: Mapping[PriceSource, PriceReading | NotRead | str]
) -> Iterator[Finding]:
    """One finding for each live source of an installation, one for the table that comes last, and its mistakes.

    Args:
        settings: of the installation.
        static: the static table of its region.
        readings: what each live source answered; a text says why it cannot be used, `NotRead` why it was not asked.
    """
    for at, source in enumerate(settings.sources):
        found = readings[source]
        following = [*settings.sources[at + 1 :], PriceSource.STATIC][0]
        if isinstance(found, NotRead):
            yield unchecked(
                _CHECKS[source], found.why, "The controller's log and metrics show whether it can read them."
            )
        elif isinstance(found, str):
            yield warning(_CHECKS[source], found, f"Prices come from the {following} instead. {_GUIDE}")
        else:
            yield _live(source, found)
    yield _static(settings, static)
    _, notices = adjusted((), static.types, settings, 0)
    for notice in notices:
        yield warning("prices.overrides", notice.rstrip("."), "Correct it in the chart's values: it has no effect.")


def _live(source: PriceSource, found: PriceReading) -> Finding:
    good = [one for one in found.quotes if one.usd_per_h.is_finite() and one.usd_per_h > Decimal(0)]
    counts = Counter(one.key.capacity_type for one in good)
    seen = ", ".join(f"{counts[one]} {one}" for one in ("on-demand", "spot"))
    if found.notices:
        return warning(_CHECKS[source], " ".join(found.notices).rstrip("."), f"Others stand in for those. {_GUIDE}")
    return ok(_CHECKS[source], f"{seen} prices")


def _static(settings: PriceSettings, static: OfferTable) -> Finding:
    check = "prices, static table"
    if not static.offers:
        return warning(check, " ".join(static.notices).rstrip("."), "No estimate or choice by price is possible there.")
    days = sorted({datetime.fromtimestamp(one.price.as_of_s, UTC).date().isoformat() for one in static.offers})
    seen = f"{len(static.types)} types, prices of {' and '.join(days)}"
    return ok(check, f"{seen}{_scaled(static.notices)}{'' if settings.sources else '; no live source is set'}")


def _scaled(notices: Sequence[str]) -> str:
    about = [one.rstrip(".") for one in notices[1:]]
    return f"; {'; '.join(about)}" if about else ""
