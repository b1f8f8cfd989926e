"""What `/metrics` reports, for all workers together.

The figures lie in memory that the workers share, and in no files: those that Prometheus' client would map can be lost
under a full disk, and with them the process that writes them.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from algoport.serving.peers import MOST
from algoport.serving.refusals import TYPES

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CODES = (200, 204, *TYPES)
OTHER = "other"  # route of a request, or its code, that is none of those that there are
_RECORDS, _INSIDE, _MODELS = range(3)  # places of the figures that are not of a route


class Metrics:
    """The figures of a server. Made before the workers are forked; each of them writes a row of its own, and what was
    counted by those that are gone stays counted."""

    def __init__(self, routes: Sequence[str]) -> None:
        self._routes, self._codes = (*routes, OTHER), (*map(str, CODES), OTHER)
        self._route = {route: number for number, route in enumerate(self._routes)}
        self._code = {code: number for number, code in enumerate(self._codes)}
        # Of a route: requests by code, by the bucket of their time, and the sum of those times.
        columns = len(self._codes) + len(SECONDS) + 2
        self._single = _shared((MOST, 3))
        self._each = _shared((MOST, len(self._routes), columns))
        self._used = _shared((1,))  # rows that somebody has written; to read the others would make them take memory
        self._own, self._lock = 0, threading.Lock()

    def enter(self, number: int) -> None:
        """From here on this process is the worker of that number."""
        self._own = number % MOST
        self._used[0] = max(self._used[0], self._own + 1)
        self.leave(number)

    def leave(self, number: int) -> None:
        """That worker is no more, and so nothing is inside it."""
        self._single[number % MOST, _INSIDE:] = 0

    def done(self, route: str, code: int, seconds: float, records: int) -> None:
        """Count a request that was answered."""
        row = self._each[self._own, self._route.get(route, len(self._routes) - 1)]
        with self._lock:
            row[self._code.get(str(code), len(self._codes) - 1)] += 1
            row[len(self._codes) + int(np.searchsorted(SECONDS, seconds))] += 1
            row[-1] += seconds
            self._single[self._own, _RECORDS] += records

    def inside(self, change: int) -> None:
        """So many more requests wait for a prediction or are in it."""
        with self._lock:
            self._single[self._own, _INSIDE] += change

    def models(self, number: int) -> None:
        """So many models are loaded."""
        self._single[self._own, _MODELS] = number

    def page(self) -> tuple[bytes, str]:
        """All workers' figures as text, and its content type."""
        registry = prometheus.CollectorRegistry()
        registry.register(self)
        return prometheus.generate_latest(registry), prometheus.CONTENT_TYPE_LATEST

    def describe(self) -> list[Any]:
        """Nothing: the library asks for names beforehand, and there are none that others could have taken."""
        return []

    def collect(self) -> Iterator[Any]:
        """What the library writes down."""
        rows = int(self._used[0])
        each, single = self._each[:rows].sum(axis=0), self._single[:rows].sum(axis=0)
        requests = CounterMetricFamily(
            "algoport_requests", "Requests answered, by route and status code.", labels=("route", "code")
        )
        seconds = HistogramMetricFamily(
            "algoport_request_seconds", "From the first byte of a request's body to its answer.", labels=("route",)
        )
        codes = len(self._codes)
        for route, row in zip(self._routes, each, strict=True):
            for code, count in zip(self._codes, row[:codes], strict=True):
                if count:
                    requests.add_metric((route, code), float(count))
            if row[:codes].any():
                bounds = (*map(float, SECONDS), float("inf"))
                counts = np.cumsum(row[codes:-1]).tolist()
                buckets = [(_bound(bound), n) for bound, n in zip(bounds, counts, strict=True)]
                seconds.add_metric((route,), buckets=buckets, sum_value=float(row[-1]))
        yield requests
        yield seconds
        yield CounterMetricFamily("algoport_records", "Records answered.", value=float(single[_RECORDS]))
        inside = "Requests that wait for a prediction or are in it."
        yield GaugeMetricFamily("algoport_requests_inside", inside, value=float(single[_INSIDE]))
        most = float(self._single[:rows, _MODELS].max(initial=0))
        yield GaugeMetricFamily("algoport_models", "Models loaded.", value=most)


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else str(seconds)


def _shared(shape: tuple[int, ...]) -> Any:
    """An array of zeros in memory that is this process's and its children's; what is never written takes none."""
    size = int(np.prod(shape)) * 8
    return np.frombuffer(mmap.mmap(-1, size), np.float64).reshape(shape)
