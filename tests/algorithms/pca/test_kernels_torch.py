"""The kernels for GPUs against those for CPUs; on a machine without a GPU torch computes on its CPU."""

import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.pca.panels import Panels
from tests import data
from tests.algorithms.pca.reference import sine, trained


@pytest.mark.parametrize("n", [0, 1, 700, 2500])
@pytest.mark.parametrize("d", [1, 47, 48, 100, 300])
@pytest.mark.parametrize("columns", [0, 12])
def test_both_give_the_same_sums(n, d, columns):
    """Whole numbers, which either adds up exactly."""
    random = np.random.default_rng(n + d)
    rows = random.integers(-9, 9, (n, d)).astype(np.float32)
    along = random.integers(-2, 3, (d, columns)).astype(np.float32) if columns else None
    panels = [Panels(np.ones(d, np.float32), along=along, device=device) for device in ("cpu", "cuda")]

    for each in panels:
        each.add(rows)

    ours, theirs = (each.total(Alone()) for each in panels)
    np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_a_job_on_digits_finds_the_same_components_on_either(mode):
    rows = data.digits()[0]

    ours, theirs = (
        trained(rows, num_components=5, algorithm_mode=mode, extra_components=20, device=device)
        for device in ("cpu", "cuda")
    )

    assert sine(ours.components, theirs.components) < 1e-5
    np.testing.assert_allclose(theirs.singular_values, ours.singular_values, rtol=1e-6)
