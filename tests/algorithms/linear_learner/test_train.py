"""What is particular to the linear learner: its labels, weights, members, rows and lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.model import Model
from tests import data
from tests.algorithms.linear_learner.jobs import BINARY, MULTICLASS, REGRESSION, labeled, split, trained
from tests.conformance.example import CheckpointFiles
from tests.groups import together


def answers(run, rows):
    return run.model.predict(rows)["score"]


@pytest.mark.parametrize(
    ("settings", "label", "message"),
    [
        (
            BINARY,
            2.0,
            "label: must be 0 or 1; it is 2.0. Classes count from 0: write 0 for 1, and 1 for 2.",
        ),
        (BINARY, np.nan, "label: must be 0 or 1; it is nan."),
        (MULTICLASS, 4.0, "label: must be a whole number from 0 to num_classes - 1, 3; it is 4.0."),
        (MULTICLASS, 1.5, "label: must be a whole number from 0 to num_classes - 1, 3; it is 1.5."),
        (MULTICLASS, -1.0, "label: must be a whole number from 0 to num_classes - 1, 3; it is -1.0."),
        (REGRESSION, np.inf, "label: must be a finite number; it is inf."),
    ],
)
@pytest.mark.parametrize("channel", ["train", "validation", "test"])
def test_a_label_that_is_not_allowed_is_reported_with_its_channel(heaps, settings, label, message, channel):
    label_of = heaps[channel].label.copy()
    label_of[-1] = label
    channels = {**heaps, channel: labeled(heaps[channel].features, label_of)}

    with pytest.raises(UserError, match=f"Channel '{channel}': {re.escape(message)}"):
        trained(channels, **settings)


def test_rows_without_a_label_are_reported(heaps):
    with pytest.raises(UserError, match="Channel 'train': every record must have a label"):
        trained({"train": Rows(features=heaps["train"].features)}, **BINARY)


@pytest.mark.parametrize("row", [0, 239])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_missing_feature_is_reported(heaps, row, kind):
    features = heaps["train"].dense().copy()
    features[row, 1] = np.nan
    features = features if kind == "dense" else sparse.csr_array(features)

    with pytest.raises(UserError, match="Channel 'train': a row has a missing or infinite feature"):
        trained({"train": labeled(features, heaps["train"].label)}, **BINARY, num_point_for_scaler=100)


def test_no_rows_are_reported():
    with pytest.raises(UserError, match="Channel 'train' has no rows"):
        trained({"train": labeled(np.empty((0, 3)), [])}, **BINARY)


def test_rows_of_another_width_than_feature_dim_are_reported(heaps):
    with pytest.raises(UserError, match="a row has 4 features, where feature_dim is 5"):
        trained(heaps, **BINARY, feature_dim=5)


def test_weights_count_as_so_many_rows(table):
    rows, label = table
    times = 1 + np.arange(len(rows)) % 3
    settings = {**REGRESSION, "mini_batch_size": 10_000, "normalize_data": "false", "normalize_label": "false"}
    still = {**settings, "unbias_data": "false", "unbias_label": "false", "loss": "absolute_loss"}

    weighted = trained({"train": labeled(rows, label, times)}, **still)

    repeated = trained({"train": labeled(rows.repeat(times, axis=0), label.repeat(times))}, **still)
    np.testing.assert_allclose(weighted.model.weights, repeated.model.weights, rtol=1e-3, atol=1e-5)


def test_balanced_classes_find_the_rare_ones():
    """A tenth of the rows are of the classes 1 and 2, which lie within the others."""
    random = np.random.default_rng(0)
    label = random.choice(3, 3000, p=(0.9, 0.05, 0.05))
    rows = random.normal(size=(3000, 2)) + np.array([[0, 0], [1, 0], [0, 1]])[label]
    channels = {"train": labeled(rows, label)}
    settings = {"predictor_type": "multiclass_classifier", "num_classes": 3, "num_models": 2}

    plain, balanced = (
        trained(channels, **settings, balance_multiclass_weights=flag).figures for flag in ("false", "true")
    )

    assert balanced["train:macro_recall"] > plain["train:macro_recall"] + 0.1


@pytest.mark.parametrize("given", ["balanced", 9.0])
def test_heavy_positives_are_found_more_often(given):
    random = np.random.default_rng(0)
    label = random.random(3000) < 0.1
    rows = random.normal(size=(3000, 2)) + label[:, None]
    channels = {"train": labeled(rows, label)}
    settings = {**BINARY, "binary_classifier_model_selection_criteria": "loss_function"}

    plain, heavy = (
        trained(channels, **settings, positive_example_weight_mult=weight).figures for weight in (1.0, given)
    )

    assert heavy["train:recall"] > plain["train:recall"] + 0.2


@pytest.mark.parametrize("criterion", ["recall_at_target_precision", "precision_at_target_recall", "f_beta"])
def test_the_threshold_is_the_one_that_the_criterion_asks_for(criterion):
    channels = split(*data.spambase())
    settings = {"predictor_type": "binary_classifier", "num_models": 4, "mini_batch_size": 200}
    targets = {"target_recall": 0.95, "target_precision": 0.93, "f_beta": 2.0}

    run = trained(channels, **settings, **targets, binary_classifier_model_selection_criteria=criterion)

    if criterion == "recall_at_target_precision":
        assert run.figures["validation:precision"] >= 0.93
        assert run.figures["validation:recall"] > 0.6
    elif criterion == "precision_at_target_recall":
        assert run.figures["validation:recall"] >= 0.95
        assert run.figures["validation:precision"] > 0.8
    else:
        assert run.figures["validation:recall"] > run.figures["validation:precision"]


@pytest.mark.parametrize("settings", [BINARY, REGRESSION, MULTICLASS])
def test_sparse_rows_give_the_model_of_dense_ones(settings):
    """Where both are shifted, as else only dense ones are."""
    random = np.random.default_rng(0)
    rows = np.where(random.random((400, 6)) < 0.3, random.normal(1, 2, (400, 6)), 0).astype(np.float32)
    label = (rows[:, 0] > rows[:, 1]).astype(np.float32)

    dense = trained({"train": labeled(rows, label)}, **settings, unbias_data="true")
    thin = trained({"train": labeled(sparse.csr_array(rows), label)}, **settings, unbias_data="true")

    np.testing.assert_allclose(answers(thin, Rows(features=rows)), answers(dense, Rows(features=rows)), atol=2e-3)


@pytest.mark.parametrize("cuts", [(200,), (0,), (399,)])
@pytest.mark.parametrize("settings", [BINARY, REGRESSION, MULTICLASS])
def test_members_end_with_the_same_model_to_the_last_bit(table, cuts, settings):
    rows, label = table
    label = label if settings is REGRESSION else (label > 5).astype(np.float32)
    shards = [labeled(*part) for part in zip(np.split(rows, cuts), np.split(label, cuts), strict=True)]

    def member(group):
        run = trained({"train": shards[group.rank]}, group=group, distribution="ShardedByS3Key", **settings)
        return run.model, run.figures

    one, other = together(2, member)

    np.testing.assert_array_equal(one[0].weights, other[0].weights)
    assert one[0].threshold == other[0].threshold
    assert one[1] == other[1]


def test_two_members_find_the_model_that_one_finds():
    """Real data, all defaults but fewer models: what another order of sums leaves."""
    rows, price = data.diamonds()
    channels = split(rows[:10_000], price[:10_000])
    settings = {"predictor_type": "regressor", "num_models": 8, "epochs": 4}

    shared = together(2, lambda group: trained(channels, group=group, **settings).model)[0]

    alone = trained(channels, **settings).model
    np.testing.assert_allclose(
        shared.predict(channels["test"])["score"], alone.predict(channels["test"])["score"], rtol=1e-3, atol=1
    )


def test_a_mean_that_dwarfs_the_spread_costs_no_quality(table):
    rows, label = table
    far = (rows * 4 + 1_000_000).astype(np.float32)  # steps of a sixteenth

    run = trained({"train": labeled(far, label)}, predictor_type="regressor", mini_batch_size=50)

    assert run.figures["train:mse"] < 0.01 * label.var()


def test_a_constant_feature_has_no_say(heaps):
    """Not even where it has another value later."""
    run = trained(heaps, **BINARY)
    moved = heaps["test"].dense().copy()
    moved[:, 3] += 100

    assert run.model.weights[3] == 0
    np.testing.assert_array_equal(answers(run, Rows(features=moved)), answers(run, heaps["test"]))


def test_without_a_bias_nothing_is_added(table):
    rows, label = table

    run = trained({"train": labeled(rows, label)}, **REGRESSION, use_bias="false")

    assert not run.model.bias.any()
    assert not run.model.shift.any()


def test_a_strong_norm_takes_weights_away(table):
    rows, label = table
    settings = {**REGRESSION, "epochs": 15, "num_models": 1}

    plain = trained({"train": labeled(rows, label)}, **settings, wd=0, l1=0).model.weights
    decayed = trained({"train": labeled(rows, label)}, **settings, wd=10, l1=0).model.weights
    sparing = trained({"train": labeled(rows, label)}, **settings, wd=0, l1=0.9).model.weights

    assert np.abs(decayed).max() < 0.2 * np.abs(plain).max()
    assert np.abs(sparing[0]) < 0.02 < np.abs(sparing[2])


@pytest.mark.parametrize("method", ["uniform", "normal"])
def test_the_seed_decides_on_the_start(table, method):
    rows, label = table
    settings = {**REGRESSION, "init_method": method, "epochs": 1, "learning_rate": 1e-9, "mini_batch_size": 1000}
    settings |= {"normalize_data": "false", "normalize_label": "false", "unbias_label": "false"}

    one, same, other = (
        trained({"train": labeled(rows, label)}, seed=seed, **settings, init_bias=2.0).model for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(one.weights, same.weights)
    assert (one.weights != other.weights).all()
    assert one.bias[0] == pytest.approx(2.0, abs=1e-6)
    assert np.abs(one.weights).max() < 0.0701


def test_steps_beyond_all_bounds_are_reported(table):
    rows, label = table

    with pytest.raises(UserError, match="^learning_rate: must be lower"):
        trained({"train": labeled(rows, label)}, **{**REGRESSION, "epochs": 15}, optimizer="sgd", learning_rate=1e6)


def test_one_model_that_diverges_does_not_spoil_the_others(table):
    rows, label = table
    settings = {**REGRESSION, "num_models": 40, "optimizer": "sgd", "learning_rate": 0.45, "epochs": 15}

    run = trained({"train": labeled(rows, label)}, **settings, momentum=0.0, wd=0.1, l1=0.0)

    assert np.isfinite(run.model.weights).all()
    assert run.figures["train:mse"] < label.var()


def test_incremental_training_starts_from_the_weights_of_a_model():
    rows, price = data.diamonds()
    channels = split(rows[:20_000], price[:20_000])
    settings = {"predictor_type": "regressor", "num_models": 4, "learning_rate": 0.01, "epochs": 2}

    first = trained(channels, **settings)
    further = trained(channels, **settings, start=first.model)

    assert further.figures["validation:mse"] < 0.9 * first.figures["validation:mse"]
    np.testing.assert_array_equal(further.model.scale, first.model.scale)


def test_incremental_training_starts_from_a_model_of_the_original(table):
    """Which says nothing of its scaling: it is measured anew."""
    rows, label = table
    weights, bias = np.array([[1], [-2], [3]], np.float32), np.array([5], np.float32)
    start = Model(
        weights=weights, bias=bias, shift=np.zeros(3, np.float32), predictor_type="regressor", loss="squared_loss"
    )

    run = trained({"train": labeled(rows, label)}, **{**REGRESSION, "epochs": 1}, start=start, learning_rate=1e-9)

    assert run.figures["train:mse"] < 1e-6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (REGRESSION, "predictor_type: must be that of the model to start from, binary_classifier; it is regressor"),
        (MULTICLASS, "predictor_type: must be"),
        ({**BINARY, "feature_dim": 5}, "feature_dim: must be that of the model to start from, 4; it is 5"),
    ],
)
def test_incremental_training_refuses_a_model_of_another_kind(heaps, given, message):
    start = trained(heaps, **BINARY).model

    with pytest.raises(UserError, match=message):
        trained(heaps, **given, start=start)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_every_optimizer_resumes_from_a_checkpoint_to_the_same_bits(heaps, optimizer, tmp_path):
    whole = trained(heaps, **BINARY, optimizer=optimizer).model
    checkpoints = CheckpointFiles(tmp_path)
    trained(heaps, **BINARY, optimizer=optimizer, job={"checkpoints": checkpoints})
    for number in range(8, checkpoints.saved + 1):
        for file in (tmp_path / f"{number:06d}").iterdir():
            file.unlink()
        (tmp_path / f"{number:06d}").rmdir()

    again = trained(heaps, **BINARY, optimizer=optimizer, job={"checkpoints": CheckpointFiles(tmp_path)}).model

    np.testing.assert_array_equal(again.weights, whole.weights)
    assert again.threshold == whole.threshold


def test_a_job_that_ended_early_is_not_resumed(heaps, tmp_path):
    settings = {**BINARY, "epochs": 30, "early_stopping_tolerance": 0.9, "early_stopping_patience": 1}
    first = trained(heaps, **settings, job={"checkpoints": CheckpointFiles(tmp_path)})

    again = trained(heaps, **settings, job={"checkpoints": CheckpointFiles(tmp_path)})

    assert len(first.epochs) > 0
    assert not again.epochs
    np.testing.assert_array_equal(again.model.weights, first.model.weights)
