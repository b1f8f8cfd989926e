"""For the whole suite: kernels as an image would run them, and the same examples at every run."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from algorithms import compiled


def pytest_configure(config: Any) -> None:
    """Before numba is imported anywhere, its threads are chosen; examples do not depend on the day or the load."""
    compiled.prepare()
    settings.register_profile("suite", deadline=None, derandomize=True)
    settings.load_profile("suite")
