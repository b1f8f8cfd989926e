"""Small tables that many tests learn from."""

import numpy as np
import pytest

from algoport.algorithms.linear_learner import example


@pytest.fixture
def heaps():
    return example.channels()


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 3)).astype(np.float32)
    return rows, rows @ np.array([1, -2, 3], np.float32) + 5
