"""For the whole suite: kernels as an image would run them, and the same examples at every run."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

from algoport.algorithms.shared import compiled
from tests import making


def pytest_configure(config: Any) -> None:
    """Before numba is imported anywhere, its threads are chosen; examples do not depend on the day or the load."""
    # Threads of torch that wait for each other while somebody else computes would keep the others' cores busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    compiled.prepare()
    settings.register_profile("suite", deadline=None, derandomize=True)
    settings.load_profile("suite")


def pytest_collection_finish(session: Any) -> None:
    """Images and environments are made beside the tests that come before those that need them."""
    if not session.config.option.collectonly:
        making.begin(session.items)


def pytest_sessionfinish() -> None:
    """Nobody needs what has not been made by now."""
    making.stop()
