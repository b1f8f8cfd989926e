"""The same over HTTP, sent to a server as it runs in an image."""

from __future__ import annotations

from tests.fuzzing import web
from tests.fuzzing.fuzzer import fuzz


def test_changed_requests_over_http_are_answered_or_refused_with_a_reason() -> None:
    reports = [fuzz(target, 100) for target in web.targets("kmeans")]

    assert {report.target: report.findings for report in reports if report.findings} == {}
    assert all(report.accepted_inputs for report in reports)
