"""Amounts of money and lengths of time as text, each in one way. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def dollars(usd: Decimal) -> str:
    """For people: two digits of cents where that says enough, else two digits that count."""
    if usd >= Decimal("0.1") or usd <= 0:
        return f"${usd.quantize(_CENT, ROUND_HALF_UP)}"
    digits = max(2, 1 - usd.adjusted())
    return f"${usd.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def duration(seconds: float) -> str:
    """For people: seconds, minutes or hours, two digits or so."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
