"""Sentences about sources of prices: which one stands in for which, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.cost.source_state import SourceState

_NAMES = {
    PriceSource.KARPENTER: "Karpenter's metrics",
    PriceSource.AWS: "AWS' price APIs",
    PriceSource.STATIC: "the static table",
}


def source_notices(
    states: Sequence[SourceState], live: Sequence[SourceState], settings: PriceSettings, now_s: float
) -> Iterator[str]:
    """A sentence for each source that fails, says nonsense or has something to say.

    Args:
        states: all live sources in their order.
        live: those whose figures are used.
        settings: of this installation.
        now_s: the time, in seconds since the epoch.
    """
    for at, state in enumerate(states):
        later = next((one.source for one in states[at + 1 :] if one in live), PriceSource.STATIC)
        if state.failure:
            yield _failing(state, later, is_used=state in live, now_s=now_s)
        elif state.read_s is not None and state.age_s(now_s) > settings.stale_after_s(state.source):
            yield f"{_capital(state)} are {_duration(state.age_s(now_s))} old; {_NAMES[later]} stand in."
        if state in live:
            yield from _about_figures(state, later)


def _failing(state: SourceState, later: PriceSource, *, is_used: bool, now_s: float) -> str:
    why = f"{_capital(state)} cannot be used: {state.failure.rstrip('.')}"
    if is_used:
        return f"{why}. Figures that are {_duration(state.age_s(now_s))} old stay in use."
    return f"{why}. Instead, prices come from {_NAMES[later]}."


def _about_figures(state: SourceState, later: PriceSource) -> Iterator[str]:
    yield from (f"{one.rstrip('.')}. Instead, those come from {_NAMES[later]}." for one in state.notices)
    if state.rejected:
        key, why = min(state.rejected.items())
        count = len(state.rejected)
        more = f" and {count - 1} more" if count > 1 else ""
        yield (
            f"{_capital(state)} have no usable price of {key} ({why}){more}. Instead, the last good figure, another "
            f"zone's or that of {_NAMES[later]} is used."
        )


def _capital(state: SourceState) -> str:
    name = _NAMES[state.source]
    return name[0].upper() + name[1:]


def _duration(seconds: float) -> str:
    """As text: 90 s, 12 min, 3 h, 2 d."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 120 * 60), ("h", 3600, 48 * 3600)):
        if seconds < most:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86400)} d"
