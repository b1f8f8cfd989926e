"""What training does beside what every algorithm promises."""

from __future__ import annotations

import io

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.object_detection import example
from tests.algorithms.object_detection.jobs import Recorder, fit, job


def test_all_pictures_whose_labels_cannot_be_learned_from_are_named_before_the_first_epoch():
    train = example.pictures(3, 0)
    many = np.tile(np.array([[0, 0.1, 0.1, 0.5, 0.5]], np.float32), (5, 1))
    beyond = np.array([[7, 0.1, 0.1, 0.5, 0.5]], np.float32)
    objects = [many, beyond, np.empty((0, 5), np.float32)]
    broken = Boxes(encoded=train.encoded, objects=objects, places=["a.rec, record 1", "a.rec, record 2", "a.rec, 3"])

    with pytest.raises(UserError) as caught:
        fit({"train": broken, "validation": broken[1:2]}, label_width=20)

    one, two, three = caught.value.findings
    assert (
        one.startswith("a.rec, record 1: its label must have at most label_width (20) numbers") and "it has 27" in one
    )
    assert two.startswith("a.rec, record 2: classes must be from 0 to 1 (num_classes is 2); one is 7")
    assert three == two


def test_the_loss_falls_and_the_lines_are_those_of_the_original():
    recorder = Recorder()

    fit(epochs=8, learning_rate=0.003, more=recorder.more)

    losses = recorder.of("train:cross_entropy")
    assert len(losses) == 8 and np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert len(recorder.of("validation:mAP")) == 8
    assert "Round of batches complete" in recorder.notes
    assert set(recorder.files) == {
        "curves.csv",
        "curves.png",
        "precision_recall.png",
        "classes.csv",
        "detections.png",
    }
    assert recorder.files["classes.csv"]["objects"] == [1]
    assert recorder.files["classes.csv"]["average_precision"] == [max(recorder.of("validation:mAP"))]
    recorder.files["precision_recall.png"].savefig(io.BytesIO(), format="png")
    recorder.files["detections.png"].savefig(io.BytesIO(), format="png")


def test_products_of_reduced_precision_give_nearly_the_same_losses():
    losses = []
    for kind in ("float32", "float16"):
        recorder = Recorder()
        fit(more=recorder.more, precision_dtype=kind)
        losses.append([recorder.of(f"train:{name}")[0] for name in ("cross_entropy", "smooth_l1")])

    np.testing.assert_allclose(*losses, rtol=0.05)


def test_only_pictures_without_objects_can_be_learned_from():
    encoded = example.pictures(2, 0).encoded
    recorder = Recorder()

    fit({"train": Boxes(encoded=encoded, objects=[np.empty((0, 5), np.float32)] * 2)}, more=recorder.more)

    assert recorder.of("train:cross_entropy")[0] > 0
    assert recorder.of("train:smooth_l1") == [0.0]


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta"])
def test_what_is_frozen_stays_and_the_rest_moves(optimizer):
    start = fit()
    recorder = Recorder()

    further = fit(
        more={**recorder.more, "start": start}, freeze_layer_pattern="^(conv1_|conv2_1_w).*", optimizer=optimizer
    )

    same = {name for name, array in start.weights.items() if np.array_equal(array, further.weights[name])}
    # Heads whose anchors had no part in the few batches stay, too.
    base = {name for name in same if name.startswith(("conv", "fc"))}
    assert base == {name for name in start.weights if name.startswith(("conv1_", "conv2_1_w"))}
    assert any("are not trained" in note for note in recorder.notes)


def test_a_pattern_has_no_effect_on_random_weights():
    recorder = Recorder()

    fit(more=recorder.more, freeze_layer_pattern="^conv1_.*")

    assert "freeze_layer_pattern has no effect, as training begins from random weights." in recorder.notes


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lr_scheduler_step": "3,2"}, "lr_scheduler_step: must be epochs in increasing order"),
        ({"freeze_layer_pattern": "(("}, "freeze_layer_pattern: must be a regular expression"),
        ({"image_shape": 5000}, "image_shape: must be at most 2048"),
    ],
)
def test_settings_that_do_not_fit_are_a_sentence(settings, sentence):
    with pytest.raises(UserError, match="must be") as caught:
        job(**settings)
    assert sentence in str(caught.value)
