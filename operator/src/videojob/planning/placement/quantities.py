"""Kubernetes quantities as numbers. Pure."""

from __future__ import annotations

from fractions import Fraction

_BYTE_SUFFIXES = {
    "m": Fraction(1, 1000),
    **{f"{letter}i": 1 << 10 * power for power, letter in enumerate("KMGTPE", 1)},
    **{letter: 1000**power for power, letter in enumerate("kMGTPE", 1)},
}


def cpus_of(quantity: str) -> Fraction:
    """A Kubernetes quantity of CPU, as in "1500m" or "2", in cores."""
    return Fraction(quantity[:-1]) / 1000 if quantity.endswith("m") else Fraction(quantity)


def bytes_of(quantity: str) -> int:
    """A Kubernetes quantity of memory or disk, as in "4Gi", "500M" or "1e9", in whole bytes.

    Raises:
        ValueError: it is none.
    """
    number, unit = quantity, Fraction(1)
    for suffix, factor in _BYTE_SUFFIXES.items():
        if quantity.endswith(suffix):
            number, unit = quantity.removesuffix(suffix), Fraction(factor)
            break
    return int(Fraction(number) * unit)
