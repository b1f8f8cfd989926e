"""Every kernel against the shortest way to say the same thing."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.pca import kernels
from algoport.algorithms.pca.kernels.tiles import HEIGHT, LANES, VECTORS
from algoport.algorithms.pca.panels import Panels
from algoport.algorithms.shared.arrays import const

PANEL, STRIP = kernels.PANEL, kernels.STRIP
ROWS = some.sampled_from([0, 1, 2, 31, 33, 63, 64, 65, PANEL - 1, PANEL, PANEL + 1])
# Around a vector, a tile, a strip and several: the column of ones makes each one more.
COLUMNS = some.sampled_from(
    [1, 2, HEIGHT - 1, HEIGHT, LANES - 1, LANES, LANES + 1, 2 * LANES, STRIP - 1, STRIP, STRIP + 1, 3 * STRIP - 1]
)


def whole(n, d, seed):
    """Whole numbers, so that float32 is exact and no tolerance is needed."""
    return np.random.default_rng(seed).integers(-9, 9, (n, d)).astype(np.float32)


def plainly(left, right):
    """The product over rows, each with a column of ones behind."""
    with_ones = [np.column_stack([side.astype(np.float64), np.ones(len(side))]) for side in (left, right)]
    return with_ones[0].T @ with_ones[1]


@settings(deadline=None, max_examples=60)
@given(n=ROWS, d=COLUMNS, seed=some.integers(0, 999))
def test_panels_add_up_the_plain_product(n, d, seed):
    rows, shift = whole(n, d, seed), whole(1, d, seed + 1)[0]
    panels = Panels(shift)

    panels.add(rows)

    np.testing.assert_array_equal(panels.total(Alone()), plainly(rows - shift, rows - shift))


@settings(deadline=None, max_examples=30)
@given(cuts=some.lists(some.integers(1, 900), min_size=1, max_size=6), d=COLUMNS, seed=some.integers(0, 99))
def test_it_does_not_matter_how_rows_fall_into_batches(cuts, d, seed):
    """To the last bit, also where float32 rounds."""
    rows = np.random.default_rng(seed).normal(size=(sum(cuts), d)).astype(np.float32)
    shift = rows[0].copy()
    at_once, bit_by_bit = Panels(shift), Panels(shift)

    at_once.add(rows)
    for last, count in zip(np.cumsum(cuts), cuts, strict=True):
        bit_by_bit.add(rows[last - count : last])

    np.testing.assert_array_equal(bit_by_bit.total(Alone()), at_once.total(Alone()))


@settings(deadline=None, max_examples=40)
@given(
    n=some.sampled_from([0, 1, 65, PANEL + 1]),
    d=some.sampled_from([2, STRIP, STRIP + 1]),
    columns=some.sampled_from([1, LANES, STRIP - 1, STRIP, STRIP + 1]),
    seed=some.integers(0, 999),
)
def test_panels_add_up_the_product_along_directions(n, d, columns, seed):
    rows, shift, along = whole(n, d, seed), whole(1, d, seed + 1)[0], whole(d, columns, seed + 2)
    panels = Panels(shift, along=along)

    panels.add(rows)

    np.testing.assert_array_equal(panels.total(Alone()), plainly((rows - shift) @ along, rows - shift))
    assert panels.spread[0] == ((rows - shift).astype(np.float64) ** 2).sum()


@settings(deadline=None, max_examples=40)
@given(n=some.sampled_from([0, 1, 5, 100]), d=some.integers(1, 60), seed=some.integers(0, 999))
def test_sparse_rows_have_the_product_of_the_dense_ones(n, d, seed):
    rows = whole(n, d, seed) * (np.random.default_rng(seed).random((n, d)) < 0.2)
    panels = Panels(np.zeros(d, np.float32))

    panels.add_sparse(sparse.csr_array(rows.astype(np.float32)))

    np.testing.assert_array_equal(panels.total(Alone()), plainly(rows, rows))


@settings(deadline=None, max_examples=60)
@given(
    n=some.sampled_from([0, 1, HEIGHT - 1, HEIGHT, HEIGHT + 1, 100]),
    d=some.sampled_from([1, 2, 63, 64, 65, 200]),
    k=some.sampled_from([1, LANES, LANES + 1, 2 * LANES + 1, STRIP, STRIP + 1]),
    seed=some.integers(0, 999),
)
def test_projections_are_the_plain_product(n, d, k, seed):
    rows, components, mean = whole(n, d, seed), whole(d, k, seed + 1), whole(1, d, seed + 2)[0]
    projection = np.full((n, k), np.nan, np.float32)

    kernels.project(const(rows), const(mean), const(kernels.pack_components(components)), projection)

    np.testing.assert_array_equal(projection, (rows - mean) @ components)


def test_a_row_is_projected_the_same_whoever_is_beside_it():
    random = np.random.default_rng(0)
    rows, components = (random.normal(size=shape).astype(np.float32) for shape in ((37, 130), (130, 20)))
    packed, mean = const(kernels.pack_components(components)), const(rows[0].copy())
    together, alone = np.empty((37, 20), np.float32), np.empty((37, 20), np.float32)

    kernels.project(const(rows), mean, packed, together)
    for i in range(37):
        kernels.project(const(rows[i : i + 1]), mean, packed, alone[i : i + 1])

    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("width", [3, STRIP, 2 * STRIP + 1])
def test_what_is_not_a_number_is_seen_in_the_product(value, width):
    rows = np.ones((PANEL + 5, width), np.float32)
    rows[PANEL + 2, width - 1] = value
    panels = Panels(np.zeros(width, np.float32))

    panels.add(rows)

    assert not np.isfinite(panels.total(Alone())).all()


PROGRAM = """
import sys
from algoport.algorithms.shared import compiled
compiled.prepare()
import hashlib, numpy as np
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.pca.panels import Panels
from scipy import sparse
random = np.random.default_rng(0)
digest = hashlib.sha256()
for d, columns in ((5, 0), (130, 0), (260, 20)):
    rows = random.normal(size=(3000, d)).astype(np.float32)
    along = np.linalg.qr(random.normal(size=(d, columns)))[0] if columns else None
    panels = Panels(rows[0].copy(), along=along)
    panels.add(rows)
    digest.update(panels.total(Alone()).tobytes() + panels.spread.tobytes())
thin = sparse.csr_array(sparse.random(500, 300, 0.03, "csr", np.float32, np.random.default_rng(1)))
panels = Panels(np.zeros(300, np.float32))
panels.add_sparse(thin)
digest.update(panels.total(Alone()).tobytes())
print(digest.hexdigest())
"""


def test_the_number_of_threads_does_not_change_a_bit():
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"NUMBA_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in (1, 2, 3)
    }

    assert len(digests) == 1


def test_tiles_fill_strips():
    assert STRIP == VECTORS * LANES and STRIP % HEIGHT == 0
