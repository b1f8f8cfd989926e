"""Figures of several workers on one page."""

from __future__ import annotations

import os

from prometheus_client.parser import text_string_to_metric_families

from algoport.serving.metrics import Metrics


def test_the_figures_of_workers_are_added_up_and_outlive_them() -> None:
    metrics = Metrics(("/invocations",))
    for number in (1, 2, 5000):
        if not (child := os.fork()):
            metrics.enter(number)
            metrics.inside(+2)
            metrics.models(number)
            metrics.done("/invocations", 200, 0.02, 7)
            metrics.done("/nowhere", 418, 100.0, 0)
            os._exit(0)
        os.waitpid(child, 0)
    metrics.leave(1)
    metrics.leave(5000)

    text, content_type = metrics.page()

    samples = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    assert content_type.startswith("text/plain")
    assert samples["algoport_requests_total", "200", "/invocations"] == 3
    assert samples["algoport_requests_total", "other", "other"] == 3
    assert samples["algoport_records_total",] == 21
    assert samples["algoport_requests_inside",] == 2 and samples["algoport_models",] == 2
    buckets = {name[1:]: value for name, value in samples.items() if name[0] == "algoport_request_seconds_bucket"}
    assert buckets["0.01", "/invocations"] == 0 and buckets["0.025", "/invocations"] == 3
    assert buckets["60.0", "other"] == 0 and buckets["+Inf", "other"] == 3
    assert abs(samples["algoport_request_seconds_sum", "/invocations"] - 0.06) < 1e-9
