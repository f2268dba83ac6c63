"""Rates of pictures as short fractions, and the checks that keep a rate or a length of 0 out of every division. Pure.

`media.probing.examine` measures rates, `video.info` reads them back from another process or an earlier release.
"""

from __future__ import annotations

from fractions import Fraction

_MOST_DENOMINATOR = 1001  # of the rates that broadcasters use, as 30000/1001
_NEAR = Fraction(1, 1000)


def short_rate(rate: Fraction) -> Fraction | None:
    """The rate as a fraction of small numbers, within a thousandth of it; None when it is not over 0.

    A rate under one picture in minutes has no near fraction of a small denominator: its interval has one.
    """
    if rate <= 0:
        return None
    short = rate.limit_denominator(_MOST_DENOMINATOR)
    if abs(short - rate) <= rate * _NEAR:
        return short
    return 1 / (1 / rate).limit_denominator(_MOST_DENOMINATOR)


def positive(text: object, what: str) -> Fraction:
    """A fraction over 0 that another process wrote; raises ValueError for anything else, naming `what`."""
    try:
        value = Fraction(str(text))
    except ZeroDivisionError as error:
        raise ValueError(f"{what} is {text}") from error
    if value <= 0:
        raise ValueError(f"{what} is {text}")
    return value


def rate_or_none(text: object) -> Fraction | None:
    """A rate that another process wrote; None for none, and for the 0 that plans of earlier releases may have.

    Raises:
        ValueError: it is no rate.
    """
    return None if text is None or str(text) == "0" else positive(text, "the frame rate")
