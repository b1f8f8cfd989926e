"""Whole jobs: what they learn, when they end, what they say, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.semantic_segmentation import reports
from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.state import Progress
from algoport.algorithms.shared.vision.masks import decode_mask
from tests.algorithms.semantic_segmentation.jobs import Recorder, blobs, fit, job, packed

LEARNING = {"width_multiplier": 0.125, "base_size": 40, "crop_size": 40, "mini_batch_size": 4, "epochs": 6}


@pytest.mark.parametrize(
    "how",
    [
        {"learning_rate": 0.05},
        {"algorithm": "deeplab", "optimizer": "adam", "learning_rate": 0.002, "lr_scheduler": "cosine"},
        {"algorithm": "psp", "optimizer": "nag", "learning_rate": 0.05, "precision_dtype": "float16"},
    ],
    ids=str,
)
def test_it_learns(how):
    """Rectangles and disks of other colors than the noise: taking all for background has an mIOU of .25."""
    recorder = Recorder()
    channels = {"train": blobs(16, 0), "validation": blobs(8, 1, channel="validation")}

    model = fit(channels, more=recorder.more, num_training_samples=16, **{**LEARNING, **how})

    best = max(recorder.of("validation:mIOU"))
    assert best > 0.5 and recorder.of("train:loss")[-1] < recorder.of("train:loss")[0]
    assert model.mean_iou == best
    # Pictures of a request are not resized; those of validation have the size of the crop, so these are the same.
    true = np.stack([decode_mask(mask, "") for mask in channels["validation"].masks])
    predicted = np.stack(model.predict(channels["validation"])["mask"])
    assert math.isclose(jaccard_score(true.ravel(), predicted.ravel(), average="macro"), best, abs_tol=0.02)
    table = recorder.files["confusion.csv"]
    assert np.abs(confusion_matrix(true.ravel(), predicted.ravel()) - table).sum() < 0.02 * table.sum()
    assert {"curves.png", "confusion.png", "classes.csv", "examples.png"} <= set(recorder.files)


@pytest.mark.parametrize("optimizer", ["adagrad", "rmsprop", "sgd"])
def test_every_optimizer_and_schedule_trains(optimizer):
    recorder = Recorder()

    fit(more=recorder.more, optimizer=optimizer, lr_scheduler="step", lr_scheduler_step="1", epochs=2)

    assert np.isfinite(recorder.of("train:loss")).all() and len(recorder.of("train:loss")) == 2


def test_whole_pictures_are_scored_with_a_validation_batch_of_one():
    recorder = Recorder()
    channels = {"train": blobs(4, 0), "validation": blobs(3, 1, size=50)}

    model = fit(channels, more=recorder.more, validation_mini_batch_size=1)

    true = np.stack([decode_mask(mask, "") for mask in channels["validation"].masks])
    predicted = np.stack(model.predict(channels["validation"])["mask"])
    assert recorder.files["confusion.csv"].sum() == true.size
    assert recorder.of("validation:pixel_accuracy")[0] == pytest.approx((true == predicted).mean(), abs=0.01)


def test_pixels_of_255_change_nothing():
    """Neither loss nor metrics: the same pictures with a stripe of 255 where their masks had anything."""
    own, losses = blobs(8, 0), []
    for value in (0, 1):
        masks = [decode_mask(mask, "") for mask in own.masks]
        pixels = [np.full((40, 40, 3), 90, np.uint8) for _ in masks]
        for mask in masks:
            mask[:20] = value
            mask[:20] = 255
        recorder = Recorder()
        fit({"train": packed(pixels, masks)}, more=recorder.more)
        losses.append(recorder.of("train:loss"))

    assert losses[0] == losses[1]


def test_without_validation_the_model_is_the_last_epochs():
    recorder = Recorder()

    model = fit({"train": blobs(6, 0)}, more=recorder.more, epochs=2)

    assert model.epoch == 2 and model.mean_iou is None and not recorder.of("validation:mIOU")


def test_early_stopping_waits_as_long_as_it_is_told():
    settings = Hyperparameters.read(
        {
            "num_classes": 2,
            "num_training_samples": 8,
            "epochs": 30,
            "early_stopping": "True",
            "early_stopping_min_epochs": 3,
            "early_stopping_patience": 2,
            "early_stopping_tolerance": 0.1,
        }
    )
    progress = Progress()
    for figure in (0.5, 0.52, 0.53, 0.54):
        if progress.is_over(settings):
            break
        progress.early_stopping.update(figure, progress.epoch + 1, settings.early_stopping_tolerance)
        progress.epoch += 1

    assert progress.epoch == 3 and progress.early_stopping.best == 0.53


def test_a_label_map_says_which_numbers_are_which_classes():
    """The same masks under other numbers give the same loss, and the log says the map."""
    own, losses = blobs(6, 0), []
    numbers = np.array([7, 0, 200], np.uint8)
    moved = replace(
        own, masks=packed([np.zeros((1, 1, 3))] * 6, [numbers[decode_mask(m, "")] for m in own.masks]).masks
    )
    for pictures, maps in ((own, None), (moved, {"train_label_map.json": b'{"map": {"0": 7, "1": 0, "2": 200}}'})):
        recorder = Recorder()
        fit({"train": pictures}, more=recorder.more, maps=maps)
        losses.append(recorder.of("train:loss"))

    assert losses[0] == losses[1]
    assert '#label_map train :{"map": {"0": 7, "1": 0, "2": 200}}' in recorder.notes


def faults(channels, **how):
    with pytest.raises(UserError) as caught:
        fit(channels, **how)
    return caught.value.findings


def test_all_faulty_masks_of_all_channels_are_named_before_the_first_epoch():
    train, validation = blobs(5, 0), blobs(3, 1, channel="validation")
    masks = [decode_mask(mask, "") for mask in train.masks]
    masks[1][3, :7] = 23
    masks[2][0, 0], masks[2][0, 1] = 9, 11
    broken = packed([np.zeros((40, 40, 3))] * 5, masks)
    encoded = [*broken.masks[:3], png(8, 9, b"", "gray"), png(40, 40)]
    of_validation = [validation.masks[0], None, validation.masks[2]]

    findings = faults({"train": replace(broken, masks=encoded), "validation": replace(validation, masks=of_validation)})

    assert findings == [
        "train/1.png: its mask has the value 23 in 7 pixels, where num_classes (3) allows 0 to 2, and 255 for what "
        "does not count.",
        "train/2.png: its mask has the value 9 in 1 pixels, and 1 more values, where num_classes (3) allows 0 to 2, "
        "and 255 for what does not count.",
        "train/3.png: its mask must have the size of the picture, 40 x 40 pixels; it has 9 x 8.",
        "train/4.png: its mask must be gray or have a palette, with at most 8 bits a pixel; save the classes as "
        "numbers, not as colors.",
        "validation/1.png: must have a mask, a PNG file of the same name in the channel of annotations; it has none.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"map": {"0": 40, "1": 50}}', "must name numbers of the masks, which hold 0, 1, 2; it names 40, 50, none"),
        (b'{"map": {"0": 0, "1": 1}}', "has the value 2 in .* where the label map names 0, 1, and 255"),
    ],
)
def test_a_label_map_that_does_not_fit_is_said(content, sentence):
    import re

    (first, *_) = faults({"train": blobs(3, 0)}, maps={"train_label_map.json": content})

    assert re.search(sentence, first)


def test_a_channel_of_label_maps_without_one_is_refused():
    (findings,) = faults({"train": blobs(3, 0)}, maps={"map.json": b"{}"})

    assert findings.startswith("Channel 'label_map': must hold train_label_map.json or") and "map.json" in findings


def test_masks_of_0_and_255_alone_are_remarked_on():
    recorder = Recorder()
    masks = [np.where(np.arange(400).reshape(20, 20) % 3, 0, 255).astype(np.uint8) for _ in range(4)]

    fit({"train": packed([np.full((20, 20, 3), 50)] * 4, masks)}, more=recorder.more)

    assert any("its masks hold 0 and 255 alone" in note and '"1": 255' in note for note in recorder.notes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"crop_size": 48}, "crop_size: must be at most twice base_size (20)"),
        ({"lr_scheduler": "step"}, "lr_scheduler_step: is required where lr_scheduler is step"),
        ({"lr_scheduler": "step", "lr_scheduler_step": "3,2"}, "lr_scheduler_step: must be epochs in increasing order"),
        ({"width_multiplier": 0.001}, "width_multiplier: must leave at least one of 64 channels"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(given, sentence):
    with pytest.raises(UserError) as caught:
        job(**given)

    assert caught.value.findings[0].startswith(sentence)


def test_a_loss_that_is_not_finite_names_the_learning_rate():
    start = fit()
    large = {**start.weights, "classifier.4.weight": start.weights["classifier.4.weight"] * np.float32(3e38)}

    with pytest.raises(UserError, match="learning_rate: must be small enough"):
        fit(more={"start": replace(start, weights=large)})


def test_incremental_training_needs_the_same_network():
    start = fit()

    with pytest.raises(UserError) as caught:
        fit(more={"start": start}, algorithm="psp", num_classes=4, crop_size=32)

    assert [each.partition(":")[0] for each in caught.value.findings] == ["algorithm", "num_classes", "crop_size"]


def test_the_lines_of_progress_are_those_of_the_original():
    recorder = Recorder()

    fit(more=recorder.more, epochs=1, mini_batch_size=2, _logging_frequency=3)

    lines = [note for note in recorder.notes if note.startswith("#progress_notice.")]
    assert len(lines) == 2
    assert lines[0].startswith("#progress_notice. epoch: 0, iterations: 3 speed: ")
    assert " samples/sec learning_rate: 0.00" in lines[0]
    assert "LRScheduler setup: iters per epoch: 6, num_epochs 1" in recorder.notes


def test_the_page_of_examples_shows_picture_truth_and_answer():
    pixels = np.zeros((5, 6, 3), np.uint8)
    figure = reports.examples_figure([(pixels, np.zeros((5, 6), np.uint8), np.ones((5, 6), np.uint8))] * 2, 3)

    assert len(figure.axes) == 6
