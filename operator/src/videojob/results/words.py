"""Numbers as a person reads them: in the report, and on a terminal."""

from __future__ import annotations

import re

DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
_URL_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+")


def count(value: int) -> str:
    """With thousands separated."""
    return f"{value:,}"


def number(value: float) -> str:
    """Three significant digits, thousands separated, no exponent; what is too small for that is "<0.01"."""
    if 0 < value < 0.01:
        return "<0.01"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def clock(time_ms: int, *, tenths: bool = False) -> str:
    """A place in a video: "1:23", "1:02:03", with tenths of a second on demand."""
    rest_s, rest_ms = divmod(max(0, time_ms), 1000)
    minutes, seconds = divmod(rest_s, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{text}.{rest_ms // 100}" if tenths else text


def span(start_ms: int, end_ms: int) -> str:
    """A stretch of a video, with tenths where the seconds would hide it."""
    tenths = end_ms - start_ms < 5000 or bool(start_ms % 1000) or bool(end_ms % 1000)
    return f"{clock(start_ms, tenths=tenths)}{DASH}{clock(end_ms, tenths=tenths)}"


def duration(time_ms: float) -> str:
    """A length of time in its two largest units: "1 h 4 min", "2 min 5 s", "8.4 s", "12 ms"."""
    if time_ms < 1000:
        return f"{number(time_ms)} ms" if time_ms else "0 s"
    if time_ms < 59_950:
        return f"{time_ms / 1000:.1f} s".replace(".0 s", " s")
    minutes, seconds = divmod(round(time_ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def in_view(time_ms: int) -> str:
    """How long something was seen; an interval of one frame has no length, but it was there."""
    return duration(time_ms) if time_ms else "one frame"


def percent(share: float) -> str:
    """A share of 0..1."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1%"
    return f"{value:.0f}%" if value >= 9.95 or not value else f"{value:.1f}%"


def score(value: float) -> str:
    """A score of 0..1, two digits."""
    return f"{value:.2f}"


def dollars(value_usd: float) -> str:
    """Money, also the very little: "$12.30", "$0.0041", "$0.0000013"."""
    if value_usd >= 0.01 or not value_usd:
        return f"${value_usd:,.2f}"
    return f"${value_usd:.{_leading_zeros(value_usd) + 2}f}"


def plural(value: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 video, 2 videos."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def without_queries(text: str) -> str:
    """The text with the query of every http address left out: it may hold a signature."""
    return _URL_QUERY.sub(r"\1?…", text)


def _leading_zeros(value: float) -> int:
    zeros = 0
    while value < 0.1 and zeros < 12:
        value *= 10
        zeros += 1
    return zeros
