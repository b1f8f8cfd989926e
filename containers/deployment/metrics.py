"""What `/metrics` of an endpoint reports: requests and their times by variant, instances, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import prometheus_client as prometheus
from prometheus_client.core import GaugeMetricFamily

from algoport.containers.deployment.configuration import Place, Routing

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
NOBODY = "none"  # the variant of a request that was refused before one was chosen


class Metrics:
    """The figures of an endpoint."""

    def __init__(self, routing: Routing) -> None:
        self._routing, self._registry = routing, prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "algoport_endpoint_requests", "Requests, by variant and code.", ("variant", "code"), registry=self._registry
        )
        self._seconds = prometheus.Histogram(
            "algoport_endpoint_request_seconds",
            "Seconds from the first byte of a request to its answer.",
            ("variant",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)
        self.codes: dict[int, int] = {}
        self._known: dict[tuple[str, int], tuple[Any, Any]] = {}

    def done(self, place: Place | None, code: int, seconds: float) -> None:
        """Count a request."""
        variant = NOBODY if place is None else place.variant.name
        counters = self._known.get((variant, code))
        if counters is None:
            counters = self._requests.labels(variant, str(code)), self._seconds.labels(variant)
            self._known[variant, code] = counters
        counters[0].inc()
        counters[1].observe(seconds)
        self.codes[code] = self.codes.get(code, 0) + 1

    def page(self) -> tuple[bytes, str]:
        """All of it as text, and its content type."""
        return prometheus.generate_latest(self._registry), prometheus.CONTENT_TYPE_LATEST

    def describe(self) -> list[Any]:
        """Nothing: the names are our own."""
        return []

    def collect(self) -> Iterator[Any]:
        """What is so now."""
        gauges = {
            "ready": GaugeMetricFamily("algoport_endpoint_instances_ready", "Healthy instances.", labels=("variant",)),
            "wanted": GaugeMetricFamily("algoport_endpoint_instances_wanted", "Instances.", labels=("variant",)),
            "in_flight": GaugeMetricFamily("algoport_endpoint_in_flight", "Requests inside.", labels=("variant",)),
        }
        for one in self._routing.configurations:
            for name, place in one.places.items():
                variant = [name if one is self._routing.current else f"{name} (following)"]
                gauges["ready"].add_metric(variant, len(place.fleet.ready))
                gauges["wanted"].add_metric(variant, place.fleet.wanted)
                gauges["in_flight"].add_metric(variant, place.fleet.in_flight)
        yield from gauges.values()
