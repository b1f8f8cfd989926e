"""Jobs: quality on real data, hosts, incremental training, lines of the log, and what is refused."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from algoport.algorithms.contract.errors import LabelError, UserError
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.model import Model
from tests import data
from tests.algorithms.factorization_machines import plainly
from tests.algorithms.factorization_machines.jobs import one_hot, rows, trained
from tests.groups import together

BETTER = {
    "num_factors": 96,
    "mini_batch_size": 1000,
    "epochs": 12,
    "factors_lr": 0.0026,
    "factors_wd": 0.00014,
    "factors_init_sigma": 0.0067,
    "linear_lr": 0.014,
    "linear_wd": 0.0001,
    "bias_lr": 0.02,
    "bias_wd": 0,
}


@cache
def films():
    """MovieLens-100k, 80,000 ratings to learn from."""
    user, film, rating = data.ratings()
    return one_hot([user, film]), rating


@cache
def letters():
    """16 measures of letters, one-hot, and whether they stand in the first half of the alphabet."""
    measures, letter = data.letters()
    order = np.random.default_rng(0).permutation(len(letter))
    return one_hot(list(measures[order].T)), (letter[order] < 13).astype(np.float32)


def split(features, label, at):
    """A training and a test channel."""
    return {"train": rows(features[:at], label[:at]), "test": rows(features[at:], label[at:])}


def test_films_are_rated_nearly_as_by_a_bayesian_machine():
    """myFM (rank 10, 200 samples) has .895 on this split, biases alone .9455."""
    run = trained(split(*films(), 80_000), **BETTER)

    assert run.figures["test:rmse"] < 0.905
    assert run.figures["test:rmse"] == pytest.approx(run.figures["test:mse"] ** 0.5)


def test_the_defaults_learn_biases():
    run = trained(split(*films(), 80_000), num_factors=64, epochs=4)

    assert run.figures["test:rmse"] < 1.1


def test_letters_are_told_apart_by_pairs_of_measures():
    """Far better than by a linear model of the same features."""
    channels = split(*letters(), 16_000)

    run = trained(channels, predictor_type="binary_classifier", num_factors=32, epochs=12, factors_lr=0.005,
                  factors_init_sigma=0.05, linear_lr=0.01)  # fmt: skip

    test = channels["test"]
    linear = LogisticRegression(max_iter=300).fit(channels["train"].features, channels["train"].label[:, 0])
    theirs = roc_auc_score(test.label[:, 0], linear.decision_function(test.features))
    answers = run.model.predict(replace(test, label=None))
    ours = roc_auc_score(test.label[:, 0], answers["score"])
    assert ours > 0.96 > theirs + 0.03
    np.testing.assert_array_equal(answers["predicted_label"], answers["score"] >= 0.5)
    right = (answers["predicted_label"] == test.label[:, 0]).mean()
    assert run.figures["test:binary_classification_accuracy"] == pytest.approx(right)


def small(binary=False):
    """600 rows of three fields."""
    random = np.random.default_rng(0)
    columns = [random.integers(0, size, 600) for size in (9, 7, 5)]
    label = np.sin(columns[0] * columns[1]) + 0.1 * columns[2]
    return one_hot(columns), ((label > 0) if binary else label).astype(np.float32)


def arrays(model):
    return {"bias": model.bias, "features": model.features, "weights": model.weights, "factors": model.factors}


def assert_equal(one, other):
    for name, array in arrays(one).items():
        np.testing.assert_array_equal(array, arrays(other)[name], err_msg=name)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("binary", [False, True])
def test_several_hosts_have_the_model_of_one_bit_for_bit(size, binary):
    features, label = small(binary)
    given = {"predictor_type": "binary_classifier" if binary else "regressor", "mini_batch_size": 64, "epochs": 2}
    channels = {"train": rows(features, label)}

    alone = trained(channels, **given).model
    members = together(size, lambda group: trained(channels, group=group, **given).model)

    for model in members:
        assert_equal(model, alone)


def test_dense_rows_agree_over_hosts():
    random = np.random.default_rng(0)
    features = random.normal(size=(500, 12)).astype(np.float32)
    channels = {"train": rows(features, features @ np.arange(12) + features[:, 0] * features[:, 1])}

    alone = trained(channels, mini_batch_size=50, epochs=3, factors_lr=0.01).model
    members = together(2, lambda group: trained(channels, group=group, mini_batch_size=50, epochs=3, factors_lr=0.01))

    for run in members:
        np.testing.assert_allclose(
            run.model.margins(channels["train"]), alone.margins(channels["train"]), rtol=1e-4, atol=1e-4
        )


def test_hosts_exchange_what_a_batch_touches_and_not_the_table():
    """In a job of a million features, of which each batch has 100. Entries of all batches are exchanged together."""
    random = np.random.default_rng(0)
    features = sparse.csr_array(sparse.random(200, 1 << 20, 10 / (1 << 20), "csr", np.float32, random))
    channels = {"train": rows(features, random.normal(size=200))}
    most = []

    def member(group):
        gather, sum_ = group.gather, group.sum_
        group.gather = lambda array: (most.append(array.nbytes), gather(array))[1]
        group.sum_ = lambda *sums: (most.append(sum(array.nbytes for array in sums)), sum_(*sums))[1]
        return trained(channels, group=group, mini_batch_size=10, num_factors=8)

    together(2, member)

    assert max(most) < 200 * (8 * 10 + 8) + 4


def test_dense_and_sparse_rows_give_the_same_model():
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 10)).astype(np.float32) * (random.random((300, 10)) < 0.5)
    label = features[:, 0] * features[:, 1] + features[:, 2]
    given = {"mini_batch_size": 40, "epochs": 3, "factors_lr": 0.01, "factors_init_sigma": 0.1}
    wide = sparse.hstack([sparse.csr_array(features), sparse.csr_array((300, 40), dtype=np.float32)], format="csr")

    one = trained({"train": rows(features, label)}, **given)
    other = trained({"train": rows(sparse.csr_array(wide), label)}, **given)

    assert any("Dense network" in note for note in one.notes)
    assert "[Sparse network] Building a sparse network." in other.notes
    np.testing.assert_allclose(other.model.weights, one.model.weights, atol=2e-4)
    np.testing.assert_allclose(other.model.factors, one.model.factors, atol=2e-4)


def test_incremental_training_goes_on_where_the_first_job_ended():
    features, label = small()
    channels = {"train": rows(features, label)}
    start = trained(channels, epochs=3, factors_lr=0.01).model

    further = trained(channels, epochs=1, factors_lr=0.01, job={"start": start})

    first = next(value for name, value, epoch, batch in further.lines if name == "train:rmse" and batch == 0)
    error = start.margins(channels["train"][:1000]) - label
    assert first == pytest.approx(float(np.sqrt(np.mean(error**2))), rel=1e-5)


def test_another_machine_is_not_gone_on_from():
    features, label = small()
    start = trained({"train": rows(features, label)}).model

    with pytest.raises(UserError) as fault:
        trained({"train": rows(features, label)}, num_factors=5, job={"start": start})

    assert "num_factors: must be that of the model to start from, 4; it is 5." in str(fault.value)


def test_batches_epochs_and_the_end_are_logged_as_by_the_original():
    features, label = small()

    run = trained({"train": rows(features, label)}, mini_batch_size=100, epochs=2, batch_metrics_publish_interval=3)

    places = [(epoch, batch) for name, _, epoch, batch in run.lines if name == "train:rmse"]
    assert places == [(0, 0), (0, 3), (0, None), (1, 0), (1, 3), (1, None), (None, None)]
    assert run.notes[:3] == [
        "Number of GPUs being used: 0", "[Sparse network] Building a sparse network.", "Create Store: local",
    ]  # fmt: skip


def test_what_cannot_be_learned_from_is_refused():
    features, label = small(binary=True)

    with pytest.raises(LabelError, match=r"label: must be 0 or 1; it is -1.0\. Classes count from 0: write 0 for -1\."):
        trained({"train": rows(features, 2 * label - 1)}, predictor_type="binary_classifier")
    with pytest.raises(UserError, match="feature_dim is 20"):
        trained({"train": rows(features, label)}, feature_dim=20)


def test_a_loss_that_is_no_number_any_more_names_the_rate_to_lower():
    features, label = small()

    with pytest.raises(
        UserError, match=r"^linear_lr: must be lower, as after \d+ batches the loss is no number any more"
    ):
        trained({"train": rows(features * np.float32(1e18), label)}, linear_lr=1e20, epochs=5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"factors_init_method": "uniform"}, "factors_init_scale: must be given where factors_init_method is uniform"),
        ({"bias_init_method": "constant"}, "bias_init_value: must be given where bias_init_method is constant"),
        ({"feature_dim": 2**31}, "feature_dim: must be at most 2147483647"),
        ({"clip_gradient": -1}, "clip_gradient: must be above 0"),
        ({"eps": -1}, "eps: must be at least 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, sentence):
    with pytest.raises(UserError, match=sentence):
        Hyperparameters.read({"feature_dim": 5, "num_factors": 2, "predictor_type": "regressor", **given})


@pytest.mark.parametrize("method", [("uniform", "scale"), ("normal", "sigma"), ("constant", "value")])
def test_every_part_starts_as_it_is_asked_to(method):
    """With learning rates of 0 nothing moves but what decay of nothing would."""
    name, size = method
    given = {f"{part}_init_method": name for part in ("bias", "linear", "factors")}
    given |= {f"{part}_init_{size}": 0.5 for part in ("bias", "linear", "factors")}
    given |= {f"{part}_lr": 0 for part in ("bias", "linear", "factors")}
    features, label = small()

    model = trained({"train": rows(features, label)}, num_factors=40, **given).model

    deviation = {"uniform": 0.5 / 3**0.5, "normal": 0.5, "constant": 0}[name]
    assert model.factors.std() == pytest.approx(deviation, abs=0.05)
    assert model.factors.mean() == pytest.approx(0.5 if name == "constant" else 0, abs=0.05)
    assert abs(model.bias) > 0 and np.abs(model.weights).min() > 0


def test_scores_are_the_sums_of_the_definition(tmp_path):
    random = np.random.default_rng(0)
    features, label = small()
    model = trained({"train": rows(features, label)}, epochs=3, factors_lr=0.02, factors_init_sigma=0.3).model
    dense = random.normal(size=(20, 21)).astype(np.float32)

    model.save(tmp_path)

    want = plainly.scores(dense, model.bias, model.weights, model.factors)
    for asked in (dense, sparse.csr_array(dense)):
        for own in (model, Model.load(tmp_path)):
            np.testing.assert_allclose(own.margins(rows(asked, np.zeros(20))), want, rtol=1e-4, atol=1e-5)


def test_features_that_were_never_seen_count_for_nothing(tmp_path):
    features = sparse.csr_array((np.ones(4, np.float32), [5, 700, 5, 2**31 - 3], [0, 2, 4]), shape=(2, 2**31 - 1))
    model = trained({"train": rows(features, [1, 2])}).model
    model.save(tmp_path)

    for own in (model, Model.load(tmp_path)):
        assert list(own.features) == [5, 700, 2**31 - 3] and own.width == 2**31 - 1
        unseen = sparse.csr_array((np.ones(1, np.float32), [9], [0, 1]), shape=(1, 2**31 - 1))
        assert own.margins(rows(unseen, [0]))[0] == own.bias
    assert json.loads((tmp_path / "model.json").read_text())["feature_dim"] == 2**31 - 1
    assert not (tmp_path / "model.libfm.txt").exists()
