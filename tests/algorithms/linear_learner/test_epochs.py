"""Epochs of the linear learner: when they end, what they tell, and stops in them."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

from algoport.algorithms.contract import Memory
from algoport.algorithms.contract.errors import Stopped
from algoport.algorithms.linear_learner import train
from tests.algorithms.linear_learner.jobs import BINARY, REGRESSION, labeled, trained
from tests.groups import together


def answers(run, rows):
    return run.model.predict(rows)["score"]


def test_patience_ends_training_and_more_of_it_than_epochs_does_not(heaps):
    settings = {**BINARY, "epochs": 8, "early_stopping_tolerance": 0.9}

    ends = trained(heaps, **settings, early_stopping_patience=2)
    never = trained(heaps, **settings, early_stopping_patience=9)

    assert max(epoch for epoch, _ in ends.epochs) < 5
    assert max(epoch for epoch, _ in never.epochs) == 7
    assert any(note.startswith("Early stop") for note in ends.notes)


def test_early_stopping_watches_the_criterion_only_where_one_was_chosen(heaps):
    def watched(**given):
        notes = trained(heaps, **BINARY, **given).notes
        return {note.partition("criteria=")[2].partition(",")[0] for note in notes if "#early" in note}

    name = "binary_classifier_model_selection_criteria"
    assert watched() == {"binary_classification_cross_entropy_objective"}
    assert watched(**{name: "accuracy"}) == {"sampled_accuracy"}
    assert watched(**{name: "loss_function"}) == {"binary_classification_cross_entropy_objective"}


def test_an_epoch_and_the_end_are_logged_in_the_lines_of_the_original(heaps):
    run = trained(heaps, **BINARY)

    losses = [values for values, of in run.tables if of == {"epoch": 1, "model": 3}]
    assert [list(values) for values in losses] == [
        ["train_binary_classification_cross_entropy_objective"],
        ["validation_binary_classification_cross_entropy_objective"],
    ]
    first = next(values for values, of in run.tables if of == {"epoch": 2, "model": 0})
    assert (2, {"train:objective_loss": next(iter(first.values()))}) in run.epochs
    text = "\n".join(run.notes)
    assert re.search(r"^#early_stopping_criteria_metric: host=algo-1, epoch=0, criteria=\S+, value=\S+$", text, re.M)
    assert "Epoch 0: Loss improved. Updating best model" in run.notes
    best = text.partition("Best model found for hyperparameters: ")[2].partition("\n")[0]
    assert {"optimizer", "learning_rate", "wd", "l1", "lr_scheduler_step"} <= set(json.loads(best))
    for channel, metric in itertools.product(
        ("validation", "test"),
        (
            "binary_classification_cross_entropy_objective",
            "binary_classification_accuracy",
            "binary_f_1.000",
            "precision",
            "recall",
            "roc_auc_score",
        ),
    ):
        assert re.search(rf"^#{channel}_score \(algo-1\) : \('{re.escape(metric)}', \S+\)$", text, re.M)


def test_a_stop_before_the_first_batch_leaves_nothing(heaps):
    with pytest.raises(Stopped):
        trained(heaps, **BINARY, job={"stop_requested": lambda: True})


def test_a_stop_without_time_to_judge_leaves_the_model_of_the_lowest_training_loss(heaps):
    """Time flies from the moment on that the stop is asked for."""
    looks, clock = itertools.count(), itertools.count(step=100)

    run = trained(heaps, **BINARY, job={"stop_requested": lambda: next(looks) > 3, "clock": lambda: float(next(clock))})

    assert "The validation channel is not scored, as a stop was asked for." in run.notes
    assert not run.figures.get("validation:recall")
    assert set(run.model.predict(heaps["test"])["predicted_label"]) == {0, 1}


def test_an_empty_validation_channel_leaves_the_choice_to_the_training_loss(heaps):
    run = trained({**heaps, "validation": heaps["validation"][:0]}, **BINARY)

    assert run.figures["test:binary_classification_accuracy"] > 0.9


def test_a_batch_may_be_larger_than_all_rows(heaps):
    run = trained(heaps, **{**BINARY, "mini_batch_size": 100_000, "epochs": 15})

    assert run.figures["test:binary_classification_accuracy"] > 0.9


def test_no_more_rows_are_calibrated_on_than_asked_for(heaps, monkeypatch):
    seen = []
    plain = train.calibration.calibrate
    monkeypatch.setattr(
        "algoport.algorithms.linear_learner.selection.calibration.calibrate",
        lambda margins, *rest: seen.append(len(margins)) or plain(margins, *rest),
    )

    trained(heaps, **BINARY, num_calibration_samples=17)
    assert set(seen) == {17}
    seen.clear()
    together(2, lambda group: trained(heaps, group=group, **BINARY, num_calibration_samples=17))
    assert set(seen) == {17}


def test_a_member_without_rows_learns_from_the_others_how_wide_they_are(table):
    rows, label = table

    class Nothing(Memory):
        width = None

    def member(group):
        from algoport.algorithms.contract import Job
        from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

        own = Memory(labeled(rows, label), group=group, distribution="ShardedByS3Key")
        none = Nothing(labeled(np.empty((0, 3)), []), group=group, distribution="ShardedByS3Key")
        settings = Hyperparameters.read(REGRESSION)
        return train.fit(Job(hyperparameters=settings, channels={"train": none if group.rank else own}, group=group))

    models = together(2, member)

    assert [model.width for model in models] == [3, 3]
