"""What `/metrics` reports, for all workers together."""

from __future__ import annotations

import prometheus_client as prometheus
from prometheus_client import multiprocess

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one worker. Their values lie in files of a folder that all workers share."""

    def __init__(self) -> None:
        registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            "algoport_requests", "Requests answered, by route and status code.", ("route", "code"), registry=registry
        )
        self.seconds = prometheus.Histogram(
            "algoport_request_seconds",
            "From the first byte of a request's body to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.records = prometheus.Counter("algoport_records", "Records answered.", registry=registry)
        self.inside = prometheus.Gauge(
            "algoport_requests_inside",
            "Requests that wait for a prediction or are in it.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.models = prometheus.Gauge(
            "algoport_models", "Models loaded.", multiprocess_mode="livemax", registry=registry
        )

    def done(self, route: str, code: int, seconds: float, records: int) -> None:
        """Count a request that was answered."""
        self.requests.labels(route, str(code)).inc()
        self.seconds.labels(route).observe(seconds)
        if records:
            self.records.inc(records)

    @staticmethod
    def page() -> tuple[bytes, str]:
        """All workers' values as text, and its content type."""
        registry = prometheus.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return prometheus.generate_latest(registry), prometheus.CONTENT_TYPE_LATEST
