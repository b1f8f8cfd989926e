"""What is particular to PCA: its components beside float64, scikit-learn's and those of other ways to the same rows."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.pca.hyperparameters import Hyperparameters
from algoport.algorithms.pca.model import Model
from algoport.algorithms.pca.train import fit
from algoport.algorithms.shared import machine
from tests import data
from tests.algorithms.pca.reference import exact, job, sine, trained
from tests.groups import together

RANDOMIZED = {"algorithm_mode": "randomized", "extra_components": 20}


def clothes(part="train"):
    return data.fashion(part)[0] / np.float32(255)


def variance_kept(rows, components):
    """The share of the rows' variance that lies along the components."""
    rows = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    return ((rows @ components) ** 2).sum() / (rows**2).sum()


@pytest.mark.parametrize(("load", "k"), [(data.digits, 10), (data.letters, 5), (data.magic, 3)])
@pytest.mark.parametrize("centered", [True, False])
def test_components_are_those_of_a_decomposition_in_float64(load, k, centered):
    """Within 1e-5, and float32 keeps the singular values within 1e-6."""
    rows = load()[0]
    values, vectors = exact(rows, k, centered=centered)

    model = trained(rows, num_components=k, subtract_mean=centered)

    assert sine(vectors, model.components) < 1e-5
    np.testing.assert_allclose(model.singular_values, values, rtol=1e-6)
    np.testing.assert_allclose(model.mean, rows.mean(axis=0, dtype=np.float64) * centered, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("load", "k"), [(data.digits, 10), (data.letters, 5)])
def test_components_and_projections_are_those_of_scikit_learn_the_other_way_round(load, k):
    """Weakest first, as in the original; the sign of each means nothing."""
    rows = load()[0]
    theirs = PCA(k, svd_solver="full").fit(rows.astype(np.float64))

    model = trained(rows, num_components=k)

    want = theirs.transform(rows.astype(np.float64))[:, ::-1]
    projection = model.predict(Rows(features=rows))["projection"]
    signs = np.sign((want * projection).sum(axis=0))
    np.testing.assert_allclose(projection * signs, want, atol=1e-4 * abs(want).max())
    np.testing.assert_allclose(model.singular_values, theirs.singular_values_[::-1], rtol=1e-6)


def test_fifty_components_of_clothes_keep_what_is_known_of_them():
    """.8627 of the variance of the 60,000 training pictures."""
    reports = {}

    model = trained(clothes(), num_components=50, test=clothes("t10k"), reports=reports)

    assert reports["train:explained_variance"] == pytest.approx(0.8627, abs=1e-4)
    assert reports["train:explained_variance"] == pytest.approx(variance_kept(clothes(), model.components), abs=1e-5)
    centered = clothes("t10k").astype(np.float64) - model.mean
    share = ((centered @ model.components) ** 2).sum() / (centered**2).sum()
    assert reports["test:explained_variance"] == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6])
def test_a_mean_that_dwarfs_the_spread_costs_no_digits(far):
    """The reference has the same rows, that is, with the digits that float32 left them."""
    random = np.random.default_rng(0)
    rows = (random.normal(size=(20_000, 20)) * np.linspace(1, 3, 20) + far).astype(np.float32)
    values, vectors = exact(rows, 3)

    model = trained(rows, num_components=3)

    assert sine(vectors, model.components) < 1e-5
    np.testing.assert_allclose(model.singular_values, values, rtol=1e-5)


@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_the_size_of_batches_does_not_change_a_bit(mode):
    rows = data.digits()[0]
    settings = {"num_components": 8, "algorithm_mode": mode, "extra_components": 20}

    models = [trained(rows, mini_batch_size=size, **settings) for size in (1, 7, 500, 5000)]

    for model in models[1:]:
        np.testing.assert_array_equal(model.components, models[0].components)
        np.testing.assert_array_equal(model.singular_values, models[0].singular_values)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_several_hosts_find_what_one_finds(size, mode):
    """But for float32 sums over other rows."""
    rows = data.digits()[0]
    settings = {"num_components": 8, "algorithm_mode": mode, "extra_components": 20}
    alone = trained(rows, **settings)

    models = together(size, lambda group: trained(rows, group=group, **settings))

    assert sine(alone.components, models[0].components) < 1e-5
    np.testing.assert_allclose(models[0].singular_values, alone.singular_values, rtol=1e-6)
    for model in models[1:]:
        np.testing.assert_array_equal(model.components, models[0].components)


@pytest.mark.parametrize("mode", ["regular", "randomized"])
@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("density", [0.02, 0.3])
def test_sparse_rows_give_what_dense_ones_give(mode, centered, density):
    random = np.random.default_rng(0)
    strong = random.normal(size=300) * np.linspace(0.2, 3, 300) ** 4
    thin = sparse.csr_array(sparse.random(3000, 300, density, "csr", np.float32, random).multiply(strong))
    thin = sparse.csr_array(thin, dtype=np.float32)
    settings = {"num_components": 4, "algorithm_mode": mode, "extra_components": 20, "subtract_mean": centered}

    model = trained(Rows(features=thin), **settings)
    want = trained(thin.toarray(), **settings)

    assert sine(want.components, model.components) < 1e-5
    np.testing.assert_allclose(model.singular_values, want.singular_values, rtol=1e-5)


def test_dense_batches_may_follow_sparse_ones_and_sparse_ones_dense():
    thin = sparse.random(1000, 400, 0.03, "csr", np.float32, np.random.default_rng(0)).toarray()
    values, vectors = exact(thin, 3)

    for first in (True, False):
        source = _Mixed(thin, first)
        mixed = job(thin, num_components=3, mini_batch_size=1)
        model = fit(replace(mixed, channels={"train": source}))
        np.testing.assert_allclose(model.singular_values, values, rtol=1e-5)
        assert sine(vectors, model.components) < 1e-4


class _Mixed:
    """Batches that are sparse and dense in turns."""

    def __init__(self, rows, sparse_first):
        self._rows, self._first = rows, sparse_first
        self.rows, self.width = len(rows), rows.shape[1]

    def batches(self, rows, *, start=0, shuffle=None):
        for number, first in enumerate(range(start, len(self._rows), 100)):
            part = self._rows[first : first + 100]
            yield Rows(features=sparse.csr_array(part) if (number % 2 == 0) is self._first else part)

    def head(self, rows):
        return next(self.batches(rows))


@pytest.mark.parametrize(
    ("load", "k"), [(data.digits, 5), (data.letters, 5), (data.magic, 3), (lambda: (clothes()[:3_000],), 50)]
)
def test_randomized_mode_is_exact_by_default_where_that_costs_no_more(load, k):
    rows = load()[0]

    ours = trained(rows, num_components=k, algorithm_mode="randomized").components

    _, vectors = exact(rows, k)
    assert variance_kept(rows, ours) > (1 - 1e-5) * variance_kept(rows, vectors)
    np.testing.assert_array_equal(ours, trained(rows, num_components=k).components)


@pytest.mark.parametrize("load", [data.digits, data.letters])
def test_a_sketch_s_components_keep_nearly_what_exact_ones_keep(load):
    rows = load()[0]
    k = 5
    _, vectors = exact(rows, k)
    settings = {"num_components": k, "algorithm_mode": "randomized", "extra_components": 10}

    # With 15 directions letters of 16 features are all but exact, and digits of 64 lose a little.
    shares = [variance_kept(rows, trained(rows, seed=seed, **settings).components) for seed in range(5)]

    assert np.mean(shares) > 0.9 * variance_kept(rows, vectors)
    assert max(shares) <= variance_kept(rows, vectors) + 1e-6


def test_more_directions_come_nearer():
    rows = clothes()[:2_000]
    shares = [
        variance_kept(
            rows, trained(rows, num_components=10, algorithm_mode="randomized", extra_components=extra).components
        )
        for extra in (10, 50, 200)
    ]

    assert shares == sorted(shares)
    assert shares[-1] > 0.99 * variance_kept(rows, exact(rows, 10)[1])


def test_randomized_mode_does_not_claim_to_keep_more_than_it_does():
    reports = {}
    rows = clothes()[:10_000]

    model = trained(rows, num_components=20, reports=reports, **RANDOMIZED)

    assert reports["train:explained_variance"] <= variance_kept(rows, model.components) + 1e-3
    # The sum of squares of all rows is known, not estimated.
    whole = ((rows - rows.mean(axis=0, dtype=np.float64)) ** 2).sum()
    share = (model.singular_values.astype(np.float64) ** 2).sum() / whole
    assert reports["train:explained_variance"] == pytest.approx(share, rel=1e-5)


def test_as_many_directions_as_features_are_the_exact_components():
    rows = data.digits()[0]

    ours = trained(rows, num_components=10, algorithm_mode="randomized", extra_components=54)

    np.testing.assert_array_equal(ours.components, trained(rows, num_components=10).components)


@pytest.mark.parametrize("mode", ["regular", "randomized"])
@pytest.mark.parametrize("centered", [True, False])
def test_incremental_training_is_as_if_all_rows_had_come_at_once(mode, centered, tmp_path):
    rows = data.digits()[0] + np.float32(100)
    settings = {"num_components": 8, "algorithm_mode": mode, "extra_components": 20, "subtract_mean": centered}
    trained(rows[:900], **settings).save(tmp_path)

    model = trained(rows[900:], start=Model.load(tmp_path), seed=5, **settings)

    want = trained(rows, **settings)
    assert sine(want.components, model.components) < 1e-5
    np.testing.assert_allclose(model.singular_values, want.singular_values, rtol=1e-5)
    np.testing.assert_allclose(model.mean, want.mean, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"num_components": 5, "feature_dim": 7}, "^feature_dim: must be that of the model to start from, 64; it is 7"),
        ({"num_components": 5, **RANDOMIZED}, "^algorithm_mode: must be that of the model"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(given, says):
    start = trained(data.digits()[0], num_components=5)

    with pytest.raises(UserError, match=says):
        trained(np.ones((9, given.get("feature_dim", 64))), start=start, **given)


def test_a_sketch_of_another_size_is_refused():
    rows = data.digits()[0]
    start = trained(rows, num_components=5, **RANDOMIZED)

    with pytest.raises(UserError, match="25; they make 26"):
        trained(rows, num_components=6, start=start, **RANDOMIZED)


def test_more_components_than_features_are_a_users_error():
    with pytest.raises(UserError, match=r"num_components: must be at most feature_dim \(64\); it is 65"):
        trained(data.digits()[0], num_components=65)


@pytest.mark.parametrize("mode", ["regular", "randomized"])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_fewer_rows_than_components_are_reported_and_leave_orthonormal_components(mode, rows):
    notes = []

    model = trained(data.digits()[0][:rows], num_components=8, algorithm_mode=mode, notes=notes)

    assert any("beyond the rank" in note for note in notes)
    np.testing.assert_allclose(model.components.T @ model.components, np.eye(8), atol=1e-5)
    assert (model.singular_values[: 8 - rows + 1] < 1e-3 * max(model.singular_values[-1], 1)).all()


@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_equal_rows_have_no_variance(mode):
    rows = np.full((700, 40), 5, np.float32)

    model = trained(rows, num_components=2, algorithm_mode=mode)

    np.testing.assert_allclose(model.singular_values, 0, atol=1e-6)
    np.testing.assert_allclose(model.project(rows), 0, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", ["regular", "randomized"])
@pytest.mark.parametrize("thin", [False, True])
def test_a_value_that_is_not_finite_is_a_users_error(value, mode, thin):
    rows = np.zeros((1500, 100), np.float32)
    rows[1200, 7] = value

    with pytest.raises(UserError, match="Channel 'train'.*missing, infinite"):
        features = sparse.csr_array(rows) if thin else rows
        trained(Rows(features=features), num_components=2, algorithm_mode=mode)


def test_a_value_that_is_not_finite_in_the_test_channel_is_a_users_error():
    rows = data.digits()[0]
    faulty = rows[:10].copy()
    faulty[3, 3] = np.nan

    with pytest.raises(UserError, match="Channel 'test'"):
        trained(rows, num_components=2, test=faulty)


def test_sums_that_memory_cannot_hold_are_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(machine, "memory_free", lambda: 1 << 20)

    with pytest.raises(UserError, match="feature_dim: .*randomized"):
        trained(np.ones((3, 1000)), num_components=2)
    with pytest.raises(UserError) as refused:
        trained(np.ones((3, 5000)), num_components=2, algorithm_mode="randomized")
    assert "needs less" not in str(refused.value)


def test_the_same_rows_under_a_seed_are_the_same_sketch_and_under_another_are_not():
    rows = data.digits()[0]

    one, again, other = (trained(rows, num_components=5, seed=seed, **RANDOMIZED) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one.components, again.components)
    assert not np.array_equal(one.components, other.components)


def test_an_interruption_inside_a_panel_of_two_hosts_leaves_no_trace():
    """Rows that wait for their panel to fill are kept with the sums."""
    from tests.conformance.example import CheckpointFiles, Interrupted

    rows = np.random.default_rng(0).normal(size=(9000, 300)).astype(np.float32)

    def run(place, **how):
        def member(group):
            kept_states = CheckpointFiles(Path(place) / str(group.rank), **how)
            return fit(replace(job(rows, group=group, num_components=3), checkpoints=kept_states))

        return together(2, member)

    with tempfile.TemporaryDirectory() as place:
        want = run(f"{place}/whole")[0]
        with pytest.raises(Interrupted):
            run(f"{place}/cut", dies_after=3)
        got = run(f"{place}/cut")[0]

    np.testing.assert_array_equal(got.components, want.components)


def test_full_rows_in_a_sparse_encoding_with_a_large_mean_are_as_sound_as_dense_ones():
    random = np.random.default_rng(0)
    rows = (random.normal(size=(2000, 12)) * np.linspace(1, 4, 12) + 20_000).astype(np.float32)
    settings = {"feature_dim": 12, "num_components": 3, "mini_batch_size": 10}

    def fitted(features):
        return fit(Job(hyperparameters=Hyperparameters.read(settings), channels={"train": Memory(features)}))

    dense, thick = fitted(Rows(features=rows)), fitted(Rows(features=sparse.csr_array(rows)))

    np.testing.assert_array_equal(thick.singular_values, dense.singular_values)
    np.testing.assert_array_equal(thick.components, dense.components)
