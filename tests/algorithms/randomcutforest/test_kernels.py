"""Every kernel against the shortest way to say the same thing."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.randomcutforest import forest, kernels
from algoport.algorithms.shared import compiled
from tests.algorithms.randomcutforest import plainly

ROOT = Path(__file__).parents[3]
WIDTHS = some.sampled_from([1, 2, 8, 9, 15, 16, 17, 32, 33, 50])


def grown(n, d, trees, seed, levels=9):
    """A forest over whole numbers, of which many are equal, and what it was grown from."""
    random = np.random.default_rng(seed)
    points = random.integers(-levels, levels + 1, (n, d)).astype(np.float32)
    return forest.grow(points, random.permutation(n), trees, n // trees, seed)[0], points


def queries(points, n, seed):
    """Points, points between them, and some far out."""
    random = np.random.default_rng(seed + 1)
    near = points[random.integers(0, len(points), n)].copy()
    near[n // 3 :] += random.normal(size=near[n // 3 :].shape).astype(np.float32)
    near[2 * n // 3 :] *= 4
    return near


@settings(deadline=None, max_examples=60)
@given(
    n=some.sampled_from([1, 2, 3, 7, 64, 150]),
    d=WIDTHS,
    asked=some.sampled_from([0, 1, 7, 8, 9, 16, 17, 70]),
    levels=some.sampled_from([0, 1, 9]),
    seed=some.integers(0, 999),
)
def test_scores_are_those_of_the_plain_walk(n, d, asked, levels, seed):
    trees = min(n, 3)
    grove, points = grown(n, d, trees, seed, levels)
    rows = queries(points, asked, seed)

    scores = kernels.scores(rows, grove) * np.log2(grove.size + 1)

    # A walk mixes float32 values at each of some twenty nodes.
    np.testing.assert_allclose(scores, plainly.scores(grove, rows), rtol=3e-6)


@settings(deadline=None, max_examples=30)
@given(n=some.sampled_from([3, 40, 150]), d=WIDTHS, levels=some.sampled_from([0, 1, 9]), seed=some.integers(0, 999))
def test_the_shares_of_the_features_sum_to_the_score(n, d, levels, seed):
    grove, points = grown(n, d, 3, seed, levels)
    rows = queries(points, 30, seed)

    above, below = kernels.attributions(rows, grove)

    assert (above >= 0).all() and (below >= 0).all()
    np.testing.assert_allclose((above + below).sum(axis=1), kernels.scores(rows, grove), rtol=3e-6)


@settings(deadline=None, max_examples=40)
@given(
    n=some.sampled_from([1, 2, 3, 50, 257]),
    d=some.integers(1, 9),
    trees=some.sampled_from([1, 2, 7]),
    levels=some.sampled_from([0, 1, 9]),
    seed=some.integers(0, 999),
)
def test_a_tree_parts_its_points_by_its_cuts_until_they_are_equal(n, d, trees, levels, seed):
    trees = min(n, trees)

    grove, points = grown(n, d, trees, seed, levels)

    assert grove._sound() and grove.size == n // trees
    np.testing.assert_array_equal(np.sort(grove.points, axis=0), np.sort(points, axis=0))
    for node, feature in enumerate(grove.feature):
        mine = plainly.points_of(grove, node)
        high, low = mine.max(axis=0), mine.min(axis=0)
        assert grove.span[node] == (high - low).sum()
        if feature < 0:
            assert (high == low).all()
            continue
        left, right = (plainly.points_of(grove, grove.child[node] + side) for side in (0, 1))
        assert (left[:, feature] <= grove.cut[node]).all() and (right[:, feature] > grove.cut[node]).all()
        assert len(left) + len(right) == len(mine) and grove.first[grove.child[node]] == grove.first[node]
        assert (grove.box[node] >= 0) == (len(mine) >= forest.LEAST)
        if grove.box[node] >= 0:
            np.testing.assert_array_equal(grove.boxes[grove.box[node]], [high, low])


def test_a_side_is_cut_as_often_as_it_is_long_and_evenly_along_it():
    """20,000 trees of two points: a quarter of the cuts falls on the first side, uniformly."""
    trees = 20_000
    points = np.tile(np.array([[0, 0], [1, 3]], np.float32), (trees, 1))

    grove, _ = forest.grow(points, np.arange(2 * trees), trees, 2, 3)

    roots = grove.roots
    first = grove.feature[roots] == 0
    assert first.mean() == pytest.approx(0.25, abs=0.01)
    for side, length in ((first, 1), (~first, 3)):
        counts = np.histogram(grove.cut[roots][side], bins=10, range=(0, length))[0]
        # Chi-square with 9 degrees of freedom exceeds 28 once in a thousand.
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 28


def test_a_tree_is_as_deep_as_random_binary_trees_are():
    """Uniform points on a line are cut as a random binary search tree is: the mean depth of its n leaves is
    2 (H(n) - 1) (Knuth, The Art of Computer Programming 3, 6.2.2)."""
    n, trees = 64, 400
    points = np.random.default_rng(0).random((n * trees, 1)).astype(np.float32)
    grove, _ = forest.grow(points, np.arange(n * trees), trees, n, 0)

    def depths(node, depth):
        if grove.feature[node] < 0:
            return [depth]
        return depths(grove.child[node], depth + 1) + depths(grove.child[node] + 1, depth + 1)

    mean = np.mean([np.mean(depths(root, 0)) for root in grove.roots])
    # Cuts are uniform along a side and not among ranks, which makes real trees a little deeper.
    expected = 2 * (sum(1 / k for k in range(1, n + 1)) - 1)
    assert expected * 0.95 < mean < expected * 1.15


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_threads_nor_company_change_a_bit(threads):
    grove, points = grown(600, 5, 4, 1)
    rows = queries(points, 1000, 1)
    before = numba.get_num_threads()
    want = kernels.scores(rows, grove)
    numba.set_num_threads(min(threads, before))
    try:
        scores = kernels.scores(rows, grove)
        again, _ = grown(600, 5, 4, 1)
    finally:
        numba.set_num_threads(before)

    np.testing.assert_array_equal(scores, want)
    np.testing.assert_array_equal(
        np.concatenate([kernels.scores(rows[i : i + 1], grove) for i in range(50)]), want[:50]
    )
    for name in forest.Forest.NODES:
        np.testing.assert_array_equal(getattr(again, name), getattr(grove, name))


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1.0, 1e30])
def test_scores_stay_finite_whatever_the_size_of_the_numbers(scale):
    """Denormal, tiny and huge: the score does not depend on the unit, but for what rounding of denormals does."""
    random = np.random.default_rng(0)
    points = (random.integers(0, 100, (300, 4)) * scale).astype(np.float32)
    grove, _ = forest.grow(points, np.arange(300), 3, 100, 0)

    scores = kernels.scores(np.concatenate([points[:20] * 5, np.full((1, 4), kernels.MOST, np.float32)]), grove)

    assert np.isfinite(scores).all() and (scores > 0).all()
    assert scores[-1] > 0.9  # parted from all at the first cut, mostly


def test_values_next_to_each_other_are_parted():
    """No float lies between them; the cut falls on the lower one."""
    low = np.float32(1)
    points = np.array([[low], [np.nextafter(low, np.float32(2))]], np.float32)

    grove, _ = forest.grow(np.tile(points, (50, 1)), np.arange(100), 50, 2, 0)

    assert (grove.cut[grove.roots] == low).all() and len(grove.feature) == 150


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_infinitely_far(value):
    rows = np.ones((3, 4), np.float32)
    assert kernels.reach(-5 * rows) == 5 and kernels.reach(rows[:0]) == 0
    rows[1, 2] = value
    assert kernels.reach(rows) == np.inf


PROGRAM = """
import sys
from algoport.algorithms.shared import compiled
compiled.prepare()
import numpy as np
from algoport.algorithms.randomcutforest import kernels
from tests.algorithms.randomcutforest import test_kernels
grove, points = test_kernels.grown(600, 17, 4, 1)
sys.stdout.buffer.write(kernels.scores(test_kernels.queries(points, 100, 1), grove).tobytes())
"""


@pytest.mark.parametrize("level", [*compiled.levels_here()[1:], "generic"])
def test_every_processor_finds_the_same_scores(level):
    """But for the last digit, where some processors multiply and add in one step."""
    grove, points = grown(600, 17, 4, 1)
    want = kernels.scores(queries(points, 100, 1), grove)
    environment = os.environ | {"ALGOPORT_CPU": level}
    for name in ("ALGOPORT_KERNELS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        environment.pop(name, None)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, timeout=300, check=False
    )

    assert done.returncode == 0, done.stderr.decode()
    np.testing.assert_allclose(np.frombuffer(done.stdout), want, rtol=1e-6)
