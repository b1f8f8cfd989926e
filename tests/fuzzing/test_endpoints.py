"""Whatever is asked, the server answers it or refuses it with a reason: never a 500."""

from __future__ import annotations

from tests.fuzzing import endpoints
from tests.fuzzing.fuzzer import fuzz


def test_changed_requests_are_answered_or_refused_with_a_reason() -> None:
    reports = [fuzz(target, 250) for target in endpoints.targets("kmeans")]

    assert {report.target: report.findings for report in reports if report.findings} == {}
    assert all(report.accepted_inputs for report in reports)
    assert all(report.slowest < 5 for report in reports)
