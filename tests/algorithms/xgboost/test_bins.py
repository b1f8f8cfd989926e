"""Where features are cut and which bin values fall into, beside plain twins and beside the library."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.xgboost import binning, quantiles
from algoport.algorithms.xgboost.kernels import bins as kernels
from algoport.algorithms.xgboost.layouts import Dense, Sparse
from tests import data
from tests.groups import together


def theirs(rows: np.ndarray, max_bin: int, weight: np.ndarray | None = None) -> list[np.ndarray]:
    """The library's cuts of each feature, without what it puts below all values."""
    matrix = xgboost.QuantileDMatrix(rows, weight=weight, max_bin=max_bin)
    ends, values = matrix.get_quantile_cut()
    return [values[begin + 1 : end] for begin, end in pairwise(ends)]


def ours(cut: binning.Cuts) -> list[np.ndarray]:
    return [cut.values[begin:end] for begin, end in zip(cut.offsets[:-1], cut.offsets[1:], strict=True)]


def plain_codes(rows: np.ndarray, cut: binning.Cuts) -> np.ndarray:
    codes = np.empty(rows.shape, np.int64)
    for f, own in enumerate(ours(cut)):
        codes[:, f] = np.minimum(np.searchsorted(own, rows[:, f], side="right"), len(own) - 1)
        codes[np.isnan(rows[:, f]), f] = len(own)
    return codes


def shown(bins: Dense) -> np.ndarray:
    """The codes that stand row by row, those of a column taken apart."""
    groups = bins.codes.reshape(len(bins.codes), len(bins), bins.row)[:, :, : bins.per]
    columns = np.concatenate(list(groups), axis=1).astype(np.int64)
    return columns[:, bins.shared.place] // bins.shared.times % bins.cuts.rooms


@pytest.mark.parametrize(
    ("load", "max_bin"), [(data.digits, 256), (data.letters, 256), (data.diamonds, 256), (data.magic, 256)]
)
def test_on_small_data_the_cuts_are_the_librarys(load, max_bin):
    rows = load()[0][:4000]

    cuts = binning.cuts(rows, None, max_bin, Alone())

    for mine, other in zip(ours(cuts), theirs(rows, max_bin), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_with_few_bins_and_missing_values_the_cuts_are_the_librarys():
    rows = data.magic()[0][:2000].copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.3] = np.nan
    rows[:, 3] = np.nan
    rows[:, 4] = 7

    cuts = binning.cuts(rows, None, 128, Alone())

    for mine, other in zip(ours(cuts), theirs(rows, 128), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_however_many_rows_distinct_values_up_to_the_bins_are_all_cuts():
    rows = np.random.default_rng(0).integers(0, 200, (50_000, 2)).astype(np.float32)

    cuts = binning.cuts(rows, None, 256, Alone())

    for f, mine in enumerate(ours(cuts)):
        np.testing.assert_array_equal(mine[:-1], np.unique(rows[:, f])[1:])


def test_weights_move_the_cuts_as_repeated_rows_do():
    random = np.random.default_rng(0)
    rows = random.normal(size=(20_000, 3)).astype(np.float32)
    times = random.integers(0, 4, len(rows))

    weighted = binning.cuts(rows, times.astype(np.float32), 64, Alone())
    repeated = binning.cuts(np.repeat(rows, times, axis=0), None, 64, Alone())

    np.testing.assert_array_equal(weighted.values, repeated.values)


def test_bins_of_many_rows_hold_equally_many():
    rows = np.random.default_rng(0).lognormal(sigma=3, size=(30_000, 2)).astype(np.float32)

    bins = binning.bin_rows(rows, binning.cuts(rows, None, 64, Alone()))

    for column in bins.columns:
        counts = np.bincount(column)
        assert len(counts) == 64
        assert abs(counts - len(rows) / 64).max() <= 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [0, 5, 3000, 20_000])
def test_cuts_do_not_depend_on_how_rows_are_shared_out(n, weighted):
    random = np.random.default_rng(1)
    rows = np.stack([random.normal(size=n), random.integers(0, 9, n), random.normal(size=n).round(3)], 1)
    rows = rows.astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    weight = random.random(n).astype(np.float32) if weighted else None

    def all_but_first(group):
        mine = slice(group.rank - 1, None, group.size - 1) if group.rank else slice(0, 0)
        return binning.cuts(rows[mine], None if weight is None else weight[mine], 256, group)

    alone = binning.cuts(rows, weight, 256, Alone())
    for shared in together(4, all_but_first):
        for name in ("values", "offsets", "minimum", "missing"):
            np.testing.assert_array_equal(getattr(shared, name), getattr(alone, name))


@settings(deadline=None, max_examples=30)
@given(
    n=some.sampled_from([0, 1, 2, kernels.BLOCK - 1, kernels.BLOCK, kernels.BLOCK + 1]),
    d=some.sampled_from([1, 3, 28, 65, 130]),
    kinds=some.sampled_from([2, 7, 400]),
    missing=some.booleans(),
    seed=some.integers(0, 99),
)
def test_every_value_falls_into_its_bin(n, d, kinds, missing, seed):
    random = np.random.default_rng(seed)
    rows = random.integers(-kinds, kinds, (n, d)).astype(np.float32)
    if missing:
        rows[random.random(rows.shape) < 0.2] = np.nan
        rows[:, 0] = np.nan
    cut = binning.cuts(rows, None, 300 if kinds == 400 else 256, Alone())
    other = random.integers(-kinds - 9, kinds + 9, (n, d)).astype(np.float32)
    other[np.isnan(rows)] = np.nan

    bins = binning.bin_rows(other, cut)

    want = plain_codes(other, cut)
    assert isinstance(bins, Dense)
    np.testing.assert_array_equal(shown(bins), want)
    np.testing.assert_array_equal(bins.columns.T, want)
    assert bins.codes.dtype == (np.uint8 if cut.stride <= 256 else np.uint16)


def test_256_bins_and_missing_values_still_are_bytes():
    rows = np.arange(1000, dtype=np.float32)[:, None].repeat(2, axis=1)
    rows[0, 0] = np.nan

    cut = binning.cuts(rows, None, 256, Alone())

    assert cut.bins.tolist() == [255, 256]
    assert binning.bin_rows(rows, cut).columns.dtype == np.uint8


def test_sparse_rows_lack_what_they_do_not_mention():
    random = np.random.default_rng(0)
    dense = np.where(random.random((500, 40)) < 0.1, random.integers(0, 5, (500, 40)), np.nan).astype(np.float32)
    present = ~np.isnan(dense)
    rows = sparse.csr_array(
        (dense[present], np.nonzero(present)[1], np.concatenate([[0], np.cumsum(present.sum(axis=1))])),
        shape=dense.shape,
    )

    cut = binning.cuts(rows, None, 256, Alone())
    bins = binning.bin_rows(rows, cut)

    same = binning.cuts(dense, None, 256, Alone())
    np.testing.assert_array_equal(cut.values, same.values)
    np.testing.assert_array_equal(cut.missing, same.missing)
    assert isinstance(bins, Sparse)
    codes = np.repeat(cut.bins[None], len(dense), axis=0)
    codes[present] = bins.codes - cut.offsets[rows.indices]
    np.testing.assert_array_equal(codes, plain_codes(dense, cut))
    again = binning.bin_rows(dense, cut)
    np.testing.assert_array_equal(again.codes, bins.codes)
    np.testing.assert_array_equal(again.column_rows, bins.column_rows)
    filled = binning.bin_rows(rows, dataclasses.replace(cut, sparse=False))
    np.testing.assert_array_equal(filled.columns.T, plain_codes(dense, cut))


@settings(deadline=None)
@given(n=some.integers(1, 60), size=some.integers(2, 12), seed=some.integers(0, 999))
def test_a_pruned_summary_keeps_what_is_nearest_to_even_ranks(n, size, seed):
    random = np.random.default_rng(seed)
    weight = random.integers(1, 5, n)
    high = np.cumsum(weight)
    low = high - weight

    places = kernels.prune(low, high, weight, size, 1.0, False)

    want = plainly_pruned(low, high, weight, size)
    assert places.tolist() == want


def plainly_pruned(low, high, weight, size):
    """Line by line as the library's WQSummary::SetPrune."""
    m = len(low)
    if m <= size:
        return list(range(m))
    places, last = [0], 0
    begin, reach, n, i = high[0], low[-1] - high[0], size - 1, 1
    for k in range(1, n):
        twice = 2 * (k * reach / n + begin)
        while i < m - 1 and twice >= high[i + 1] + low[i + 1]:
            i += 1
        if i == m - 1:
            break
        chosen = i if twice < low[i] + weight[i] + high[i + 1] - weight[i + 1] else i + 1
        if chosen != last:
            places.append(chosen)
            last = chosen
    return places if last == m - 1 else [*places, m - 1]


@settings(deadline=None, max_examples=50)
@given(n=some.integers(1, 50), seed=some.integers(0, 999), weighted=some.booleans())
def test_selected_values_are_those_that_sorting_finds(n, seed, weighted):
    random = np.random.default_rng(seed)
    values = random.choice(np.array([-np.inf, -3, -1e-40, -0.0, 0, 1e-40, 2, np.inf], np.float32), n)
    weights = random.integers(1, 9, n) if weighted else np.empty(0, np.int64)
    (column,) = quantiles.columns(values[:, None], weights)
    ranks = np.sort(random.integers(0, column.weight, 5))

    (quantile_values,) = quantiles.select([column], [ranks], Alone())

    every = np.repeat(np.sort(values), (weights if weighted else np.ones(n, np.int64))[np.argsort(values)])
    np.testing.assert_array_equal(quantile_values, every[ranks])
