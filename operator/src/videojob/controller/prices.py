"""The controller's prices: one table of offers, kept current by a thread of its own.

Reconciles read the newest table and never wait for one: until a live source has answered, it is the static table's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread

from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.errors import VideoJobError
from videojob.planning.cost.merge import merge
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.cost.source_state import SourceState, failed, succeeded
from videojob.ports.clock import Clock
from videojob.ports.prices import PriceReader

_LOG = logging.getLogger(__name__)
_BOTH = 2


class Prices:
    """Keeps the table.

    Args:
        static: the static table's offers of the region.
        readers: live sources, the preferred one first.
        settings: of this installation.
        clock: the time.
        small: prices of disks, traffic and the like; None where there are none in USD.
        metrics: where sources and ages are shown; None for nowhere.
        changed: called after each refresh, from the thread that made it.
    """

    def __init__(
        self,
        static: OfferTable,
        readers: Sequence[PriceReader],
        settings: PriceSettings,
        clock: Clock,
        *,
        small: SmallPrices | None = None,
        metrics: ControllerMetrics | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._static, self._readers, self._settings = static, tuple(readers), settings
        self._clock, self._metrics, self._changed = clock, metrics, changed
        self.small = small
        self._states: Mapping[PriceSource, SourceState] = {one.source: SourceState(one.source) for one in readers}
        self._asked_s: dict[PriceSource, float] = {}
        self._reported: frozenset[str] = frozenset()
        self._stop = Event()
        self._thread: Thread | None = None
        self._table = static
        self._publish()

    @property
    def table(self) -> OfferTable:
        """The newest one. Any thread; takes no time."""
        return self._table

    def start(self) -> None:
        """Begins to refresh, unless it does already or no live source is there."""
        if self._readers and self._thread is None:
            self._stop = Event()
            # A request that hangs must not keep the process.
            self._thread = Thread(target=self._keep, args=(self._stop,), name="prices", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it; a request that is under way ends by itself, and changes nothing."""
        self._stop.set()
        self._thread = None

    def _keep(self, stop: Event) -> None:
        while not stop.is_set():
            self.refresh(stop)
            stop.wait(self._settings.refresh_s)

    def refresh(self, stop: Event | None = None) -> None:
        """Asks the sources that are due, each only when the ones before it do not do, and makes the table again."""
        states = dict(self._states)
        for reader in self._readers:
            if self._is_due(reader.source):
                states[reader.source] = self._ask(reader, states[reader.source])
            if self._suffices(states[reader.source]):
                break
        if stop is not None and stop.is_set():
            return
        self._states = states
        self._publish()
        self._changed()

    def _is_due(self, source: PriceSource) -> bool:
        """Whether its figures, or its failure, are old enough to ask again."""
        since_s = self._clock.monotonic_s() - self._asked_s.get(source, float("-inf"))
        every_s = self._settings.refresh_s if self._states[source].failure else self._settings.every_s(source)
        return since_s >= every_s

    def _ask(self, reader: PriceReader, state: SourceState) -> SourceState:
        self._asked_s[reader.source] = self._clock.monotonic_s()
        now_s = self._clock.now_s()
        try:
            return succeeded(state, reader.offers(now_s), self._static, now_s)
        except VideoJobError as error:
            return failed(state, error.message, now_s)
        except Exception as error:  # noqa: BLE001 - a fault of one source must not end the others
            _LOG.exception("a source of prices crashed", extra={"source": str(reader.source)})
            return failed(state, f"unexpected error: {type(error).__name__}: {error}", now_s)

    def _suffices(self, state: SourceState) -> bool:
        """Whether no other source has to be asked."""
        is_fresh = state.age_s(self._clock.now_s()) <= self._settings.stale_after_s(state.source)
        return is_fresh and not state.rejected and len(state.covers) == _BOTH

    def _publish(self) -> None:
        now_s = self._clock.now_s()
        states = [self._states[one.source] for one in self._readers]
        table = merge(self._static, states, self._settings, now_s)
        self._table = table
        failures = {one.source: one.failure for one in states}
        reported = frozenset(f"{source}: {why}" for source, why in failures.items() if why)
        for problem in sorted(reported - self._reported):
            _LOG.warning("a source of prices cannot be used", extra={"problem": problem})
        self._reported = reported
        if self._metrics is not None:
            self._metrics.show_prices(table, failures, now_s)
