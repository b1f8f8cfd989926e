"""Sums of gradients, splits found in them and rows shared out by them, beside plain twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.threads import ALONE, team
from algoport.algorithms.xgboost import binning
from algoport.algorithms.xgboost.kernels import entries as kernels
from algoport.algorithms.xgboost.kernels import histograms, partition, splits, weights
from algoport.algorithms.xgboost.layouts import Bins, choice

SIZES = [1, 2, 40, histograms.FLUSH + 1]
FREE = np.array([[-3e38, 3e38]], np.float32)


def made(n: int, d: int, sparse: bool, wide: bool, seed: int) -> tuple[Bins, np.ndarray]:
    """Rows in bins, and their codes (n, d)."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 400 if wide else 9, (n, d)).astype(np.float32)
    rows[random.random(rows.shape) < 0.3] = np.nan
    cut = binning.cuts(rows, None, 512 if wide else 16, Alone())
    cut = binning.Cuts(cut.values, cut.offsets, cut.minimum, np.ones(d, np.bool_), sparse)
    codes = np.empty((n, d), np.int64)
    for f in range(d):
        own = cut.values[cut.offsets[f] : cut.offsets[f + 1]]
        codes[:, f] = np.minimum(np.searchsorted(own, rows[:, f], side="right"), len(own) - 1)
        codes[np.isnan(rows[:, f]), f] = len(own)
    return binning.bin_rows(rows, cut), codes


def entered(gradients: np.ndarray, rows: np.ndarray) -> np.ndarray:
    entries = np.empty(len(rows) if len(rows) else len(gradients), np.uint64)
    drawn, lower, sums = rows.astype(np.int32), np.empty(0, np.uint64), np.empty(3, np.int64)
    kernels.enter(team(), gradients, len(rows) > 0, drawn, 1.0, 1.0, entries, lower, sums)
    return entries


@settings(deadline=None, max_examples=40)
@given(
    n=some.sampled_from(SIZES),
    d=some.sampled_from([1, 5, 28, 70, 131]),
    sparse=some.booleans(),
    wide=some.booleans(),
    threads=some.integers(1, 5),
    nodes=some.integers(1, 4),
    seed=some.integers(0, 99),
)
def test_histograms_are_plain_sums_for_any_number_of_threads(n, d, sparse, wide, threads, nodes, seed):
    random = np.random.default_rng(seed)
    if n > 1000:
        d = min(d, 5)
    bins, codes = made(n, d, sparse, wide, seed)
    gradients = np.stack([random.choice([-32767, 32767, 5], n), random.choice([0, 65535, 7], n)], 1).astype(np.float32)
    order = random.permutation(n)
    ends = np.sort(random.integers(0, n + 1, nodes))
    begins = np.concatenate([[0], ends[:-1]])
    pool = np.full((nodes + 1, 2, bins.size), 99)

    bins.sum_up(entered(gradients, order), begins, ends, np.arange(nodes) + 1, pool, (0, threads))

    for j in range(nodes):
        rows = order[begins[j] : ends[j]]
        for f in range(d):
            count = int(bins.cuts.bins[f])
            for part in range(2):
                want = np.bincount(codes[rows, f], gradients[rows, part], count + 1)[:count]
                start = bins.starts[f]
                np.testing.assert_array_equal(pool[j + 1, part, start : start + count], want)
    assert (pool[0] == 99).all()


@settings(deadline=None)
@given(n=some.integers(1, 300), seed=some.integers(0, 99))
def test_halves_of_gradients_join_to_what_they_were(n, seed):
    random = np.random.default_rng(seed)
    gradients = random.normal(size=(n, 2)).astype(np.float32)
    gradients[:, 1] = abs(gradients[:, 1])
    entries, lower, upper = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint64)
    scale = 2.0 ** (29 - np.frexp(abs(gradients).max())[1])
    sums, below = np.empty(3, np.int64), np.empty(3, np.int64)

    kernels.enter(ALONE, gradients, False, np.empty(0, np.int32), scale, scale, entries, lower, sums)
    kernels.compact(ALONE, entries, np.array([0]), np.array([n]), lower, upper)
    kernels.total(upper, 0, n, below)

    whole = (sums[:2] << kernels.HALF) + below[:2]
    np.testing.assert_array_equal(whole, np.rint(gradients.astype(np.float64) * scale).sum(axis=0))
    pool, below = np.array([[[7], [8]]]), np.array([[[-3], [4]]])
    histograms.join(pool, np.array([0]), below)
    assert pool.ravel().tolist() == [7 * 2**15 - 3, 8 * 2**15 + 4]


def test_what_rounds_up_to_a_bit_too_many_is_held():
    gradients = np.array([[0.999999, 0.999999], [-0.999999, 0]], np.float32)
    entries, lower, sums = np.empty(2, np.uint64), np.empty(0, np.uint64), np.empty(3, np.int64)

    for part, rows in ((False, np.empty(0, np.int32)), (True, np.arange(2, dtype=np.int32))):
        kernels.enter(ALONE, gradients, part, rows, 2.0**15, 2.0**16, entries, lower, sums)

        assert sums.tolist() == [0, 65535, 2 * 32767]


def test_the_largest_and_the_sums_of_leaves_are_plain():
    random = np.random.default_rng(0)
    gradients = random.integers(-99, 99, (5000, 2)).astype(np.float32)
    leaf, rows = random.integers(3, 7, 5000).astype(np.int32), np.arange(0, 5000, 3, dtype=np.int32)
    parent, below = np.array([9, 0, 0, 1, 1, 2, 2], np.int32), ((3, 4, 5, 6), (3, 4), (5, 6), (3,), (4,), (5,), (6,))
    sums = np.empty((7, 2), np.int64)

    most = np.empty(2, np.int32)

    kernels.largest(team(), gradients.view(np.int32), most)

    assert most.view(np.float32).tolist() == abs(gradients).max(axis=0).tolist()
    for part, used in ((False, np.arange(5000)), (True, rows), (True, rows[:0])):
        kernels.leaf_sums(team(), gradients, parent, leaf, part, used.astype(np.int32), 4.0, 2.0, sums)
        for j in range(7):
            mine = gradients[used][np.isin(leaf[used], below[j])].astype(np.float64).sum(axis=0)
            assert sums[j].tolist() == [4 * mine[0], 2 * mine[1]]


@settings(deadline=None, max_examples=40)
@given(
    n=some.sampled_from([1, 2, 100, 2 * partition.CHUNK - 1, 2 * partition.CHUNK, 3 * partition.CHUNK + 1]),
    sparse=some.booleans(),
    nodes=some.integers(1, 3),
    seed=some.integers(0, 99),
)
def test_rows_go_to_their_children_and_stay_in_order(n, sparse, nodes, seed):
    random = np.random.default_rng(seed)
    bins, codes = made(n, 4, sparse, False, seed)
    entries = entered(np.ones((n, 2), np.float32), np.empty(0))
    ends = np.sort(random.integers(0, n + 1, nodes))
    begins = np.concatenate([[0], ends[:-1]])
    features, default = random.integers(0, 4, nodes), random.integers(0, 2, nodes)
    cuts = random.integers(-1, bins.cuts.bins[features])
    also = np.where(default, bins.missing[features], -1)
    chosen = choice(begins=begins, ends=ends, features=features, bins=cuts, also=also)
    lefts, leaf = np.empty(nodes, np.int64), np.full(n, -1, np.int32)

    bins.label(entries, chosen, np.arange(nodes) * 2, leaf, team())
    bins.part(entries, np.empty((2, n), np.uint64), chosen, lefts, team())

    rows = entries & kernels.ROW
    for j in range(nodes):
        mine = np.arange(begins[j], ends[j])
        code = codes[mine, features[j]]
        goes = (code <= cuts[j]) | ((code == bins.cuts.bins[features[j]]) & (default[j] == 1))
        np.testing.assert_array_equal(rows[begins[j] : ends[j]], np.concatenate([mine[goes], mine[~goes]]))
        assert lefts[j] == goes.sum()
        np.testing.assert_array_equal(leaf[mine], 2 * j + 1 - goes)


def plain_split(hist, sums, bins, rules):
    """The greatest gain of the library's EnumerateSplit over all features, in float64 and Python."""
    lambda_, alpha, least = rules[weights.LAMBDA], rules[weights.ALPHA], rules[weights.MIN_CHILD]

    def gain(g, h):
        return max(abs(g) - alpha, 0) ** 2 / (h + lambda_) if h > 0 else 0

    best = 0.0
    for f, own in enumerate(hist):
        for default in (0, 1):
            if default and own.sum(axis=0).tolist() == sums.tolist():
                continue
            for b in range(bins[f]) if not default else range(bins[f] - 1, -1, -1):
                side = own[: b + 1].sum(axis=0) if not default else own[b:].sum(axis=0)
                other = sums - side
                if min(side[1], other[1]) >= least:
                    best = max(best, gain(*side) + gain(*other) - gain(*sums))
    return best


@settings(deadline=None)
@given(
    d=some.sampled_from([1, 2, 4, splits.TOGETHER + 1]),
    missing=some.booleans(),
    alpha=some.sampled_from([0, 2]),
    least=some.sampled_from([0, 1, 30]),
    seed=some.integers(0, 9999),
)
def test_the_best_split_is_the_plain_one(d, missing, alpha, least, seed):
    random = np.random.default_rng(seed)
    bins = random.integers(1, 20, d)
    size = 32
    hist = np.zeros((d, size, 2), np.int64)
    for f in range(d):
        hist[f, : bins[f]] = np.stack([random.integers(-50, 50, bins[f]), random.integers(0, 20, bins[f])], 1)
    sums = hist.sum(axis=1).max(axis=0) + (3 if missing else 0)
    for f in range(d):  # without missing values all features have the same sums
        if not missing:
            hist[f, 0] += sums - hist[f].sum(axis=0)
    rules = np.array([1.0, alpha, 0.0, least])
    gains, features = np.empty(1, np.float32), np.empty(1, np.int64)
    cuts, defaults, left = np.empty(1, np.int64), np.empty(1, np.uint8), np.zeros((1, 2), np.int64)
    pool = np.repeat(hist.reshape(1, d * size, 2).transpose(0, 2, 1), 2, axis=0)
    pool[1] = random.integers(-9, 9, pool[1].shape)
    pool[0] += pool[1]

    splits.evaluate(
        team(), pool, np.arange(d) * size, np.array([0]), np.array([1]), sums[None], bins, np.ones((1, d), np.uint8),
        1.0, 1.0, rules, FREE, np.empty(0, np.int8), gains, features, cuts, defaults, left,
    )  # fmt: skip

    value = plain_split([own[: bins[f]] for f, own in enumerate(hist)], sums, bins, rules)
    np.testing.assert_allclose(gains[0], value, rtol=1e-5, atol=1e-4)
    if value > 1e-3:
        side = hist[features[0], : cuts[0] + 1].sum(axis=0)
        if defaults[0]:
            side = side + sums - hist[features[0], : bins[features[0]]].sum(axis=0)
        assert left[0].tolist() == side.tolist()
