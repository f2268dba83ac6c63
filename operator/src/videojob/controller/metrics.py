"""The controller's own metrics, all of them; docs/reference/metrics.md is made from this file."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ControllerMetrics:
    """One set for one controller; its registry is what /metrics shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "videojob_reconciles_total",
            "Looks at a VideoJob or server, by outcome.",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.reconcile_s = Histogram(
            "videojob_reconcile_seconds",
            "Duration of one look.",
            ("kind",),
            buckets=_LATENCIES_S,
            registry=self.registry,
        )
        self.event_to_write_s = Histogram(
            "videojob_event_to_write_seconds",
            "From an event's arrival to the status that it led to; an event that led to none does not count.",
            buckets=_LATENCIES_S,
            registry=self.registry,
        )
        self.queue_length = Gauge("videojob_queue_length", "Keys that wait for their turn.", registry=self.registry)
        self.api_requests = Counter(
            "videojob_api_requests_total",
            "Requests to the API server, by method and status (0: no answer).",
            ("method", "code"),
            registry=self.registry,
        )
        self.status_writes = Counter("videojob_status_writes_total", "Statuses written.", registry=self.registry)
        self.canary_silent_s = Gauge(
            "videojob_canary_silent_seconds",
            "For how long the watch has not shown the canary's marks.",
            registry=self.registry,
        )
        self.leader = Gauge("videojob_leader", "1 while this controller holds the lease.", registry=self.registry)
