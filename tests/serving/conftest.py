"""One server for the tests that only ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.servers import Server, put, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The stand-in with one worker, a limit of 1 MB, and a scale from the environment."""
    base = tmp_path_factory.mktemp("ml")
    put(base / "model")
    limits = {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "1", "SUMS_SCALE": "10"}
    with serving(base, ALGOPORT_ACCESS_LOG="json", **limits) as running:
        yield running
