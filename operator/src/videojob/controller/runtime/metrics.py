"""The controller's own metrics, all of them; docs/reference/metrics.md is made from `MEASURES`."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import PriceSource

_LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Measure:
    """What one metric is: its name as Prometheus shows it, its type, what it means, its labels."""

    name: str
    kind: type[Counter] | type[Gauge] | type[Histogram]
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """As Prometheus calls it."""
        return self.kind.__name__.lower()


RECONCILES = Measure(
    "videojob_reconciles_total",
    Counter,
    "Reconciles of VideoJobs and servers, by outcome: done, failed (requeued), crashed (unexpected error).",
    ("kind", "outcome"),
)
RECONCILE_S = Measure("videojob_reconcile_seconds", Histogram, "Duration of a reconcile.", ("kind",))
EVENT_TO_WRITE_S = Measure(
    "videojob_event_to_write_seconds", Histogram, "From the arrival of an event to the status update that it caused."
)
QUEUE_LENGTH = Measure("videojob_queue_length", Gauge, "Work queue depth.")
API_REQUESTS = Measure(
    "videojob_api_requests_total",
    Counter,
    "Requests to the API server, by method and status (0: no answer).",
    ("method", "code"),
)
STATUS_WRITES = Measure("videojob_status_writes_total", Counter, "Status updates written.")
CONFLICTS = Measure(
    "videojob_conflicting_segments_total",
    Counter,
    "Segments with a second, different result; the first one is kept. Hardware, model or input differ.",
)
WATCH_SILENT_S = Measure(
    "videojob_watch_silent_seconds", Gauge, "Seconds since the watches last delivered a write of this controller."
)
CANARY_SILENT_S = Measure(
    "videojob_canary_silent_seconds",
    Gauge,
    "Deprecated, removed in the next release: use videojob_watch_silent_seconds.",
)
NAMESPACES_REFUSED = Measure(
    "videojob_namespace_refused",
    Gauge,
    "1 for each namespace whose VideoJobs may not be listed: none of its jobs is reconciled until it may.",
    ("tenant",),
)
NAMESPACES_FOREIGN = Measure(
    "videojob_namespace_foreign",
    Gauge,
    "1 for each namespace that another installation of the same controllerName serves; the log names it.",
    ("tenant",),
)
SCOPE_FOREIGN = Measure(
    "videojob_scope_foreign",
    Gauge,
    "1 while another installation of the same controllerName serves the same scope, so that this one serves nothing.",
)
LEADER = Measure("videojob_leader", Gauge, "1 while this controller holds the Lease.")
PRICE_OFFERS = Measure(
    "videojob_price_offers",
    Gauge,
    "Offers with a price, by its source (override, karpenter, aws, static) and by what it was made of.",
    ("source", "precision"),
)
PRICE_AGE_S = Measure(
    "videojob_price_age_seconds", Gauge, "Age of the oldest price that is in use, by its source.", ("source",)
)
PRICE_FAILING = Measure(
    "videojob_price_source_failing", Gauge, "1 while a source of prices cannot be used; the log says why.", ("source",)
)

MEASURES = (
    RECONCILES,
    RECONCILE_S,
    EVENT_TO_WRITE_S,
    QUEUE_LENGTH,
    API_REQUESTS,
    STATUS_WRITES,
    CONFLICTS,
    WATCH_SILENT_S,
    CANARY_SILENT_S,
    NAMESPACES_REFUSED,
    NAMESPACES_FOREIGN,
    SCOPE_FOREIGN,
    LEADER,
    PRICE_OFFERS,
    PRICE_AGE_S,
    PRICE_FAILING,
)


class ControllerMetrics:
    """One set for one controller; its registry is what /metrics shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = self._counter(RECONCILES)
        self.reconcile_s = self._histogram(RECONCILE_S)
        self.event_to_write_s = self._histogram(EVENT_TO_WRITE_S)
        self.queue_length = self._gauge(QUEUE_LENGTH)
        self.api_requests = self._counter(API_REQUESTS)
        self.status_writes = self._counter(STATUS_WRITES)
        self.conflicts = self._counter(CONFLICTS)
        self.watch_silent_s = self._gauge(WATCH_SILENT_S)
        self._canary_silent_s = self._gauge(CANARY_SILENT_S)
        self.namespaces_refused = self._gauge(NAMESPACES_REFUSED)
        self.namespaces_foreign = self._gauge(NAMESPACES_FOREIGN)
        self.scope_foreign = self._gauge(SCOPE_FOREIGN)
        self.leader = self._gauge(LEADER)
        self.price_offers = self._gauge(PRICE_OFFERS)
        self.price_age_s = self._gauge(PRICE_AGE_S)
        self.price_failing = self._gauge(PRICE_FAILING)

    def show_watch_silence(self, silent_s: float) -> None:
        """Also under the name of the release before."""
        self.watch_silent_s.set(silent_s)
        self._canary_silent_s.set(silent_s)

    def show_refused(self, namespaces: Iterable[str]) -> None:
        """These namespaces refuse to be listed, and no others."""
        self.namespaces_refused.clear()
        for one in namespaces:
            self.namespaces_refused.labels(one).set(1)

    def show_foreign(self, namespace: str, holder: str) -> None:
        """Another installation serves this namespace; "" for none any more."""
        if holder:
            self.namespaces_foreign.labels(namespace).set(1)
        else:
            self.namespaces_foreign.remove(namespace)

    def show_prices(self, table: OfferTable, failures: Mapping[PriceSource, str], now_s: float) -> None:
        """These offers are in use; `failures` has every live source, with "" for one that works."""
        counts = Counts((one.price.source, one.price.precision) for one in table.offers)
        self.price_offers.clear()
        for (source, precision), count in counts.items():
            self.price_offers.labels(source.name.lower(), precision.name.lower()).set(count)
        self.price_age_s.clear()
        for source in {source for source, _ in counts}:
            oldest_s = max(one.price.age_s(now_s) for one in table.offers if one.price.source is source)
            self.price_age_s.labels(source.name.lower()).set(oldest_s)
        for source, why in failures.items():
            self.price_failing.labels(source.name.lower()).set(1 if why else 0)

    def _counter(self, measure: Measure) -> Counter:
        return Counter(measure.name, measure.meaning, measure.labels, registry=self.registry)

    def _gauge(self, measure: Measure) -> Gauge:
        return Gauge(measure.name, measure.meaning, measure.labels, registry=self.registry)

    def _histogram(self, measure: Measure) -> Histogram:
        return Histogram(measure.name, measure.meaning, measure.labels, buckets=_LATENCIES_S, registry=self.registry)
