"""The same over HTTP, sent to a server as it runs in an image."""

from __future__ import annotations

from tests.hostile import web
from tests.hostile.hunt import hunt


def test_changed_requests_over_http_are_answered_or_refused_with_a_reason() -> None:
    reports = [hunt(target, 100) for target in web.targets("kmeans")]

    assert {report.target: report.findings for report in reports if report.findings} == {}
    assert all(report.taken for report in reports)
