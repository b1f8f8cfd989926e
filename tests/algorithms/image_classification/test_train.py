"""Whole jobs: what they learn, when they end, what they tell, and what they refuse."""

import re

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import example, initialization, train
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.state import Progress
from algoport.algorithms.shared.vision.decoding import decode
from tests.algorithms.image_classification.jobs import Recorder, clothes, fit, job, packed
from tests.groups import together


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"optimizer": "nag"},
        {"optimizer": "adam", "learning_rate": 0.005},
        {"optimizer": "rmsprop", "learning_rate": 0.002},
        {"precision_dtype": "float16"},
    ],
    ids=str,
)
def test_it_learns(how):
    recorder = Recorder()

    fit(more=recorder.more, **{"epochs": 8, "learning_rate": 0.02, **how})

    assert max(recorder.of("validation:accuracy")) >= 0.87
    assert recorder.of("train:accuracy")[-1] > 0.8


def test_clothes_are_classified_as_well_as_by_neighbors():
    """Five passes over 1,200 pictures; a vote of five neighbors among them is right in .79 of 400 others."""
    recorder = Recorder()
    train, validation = clothes("train", 1200), clothes("t10k", 400)
    channels = {"train": packed(*train), "validation": packed(*validation)}
    how = {"num_classes": 10, "num_training_samples": 1200, "image_shape": "1,14,14", "mini_batch_size": 32}

    fit(
        channels,
        more=recorder.more,
        epochs=5,
        learning_rate=0.05,
        lr_scheduler_step="3",
        augmentation_type="crop",
        **how,
    )

    (rows, label), (asked, wanted) = ((part[0].reshape(-1, 196), part[1]) for part in (train, validation))
    votes = KNeighborsClassifier(5).fit(rows, label).score(asked, wanted)
    assert max(recorder.of("validation:accuracy")) > votes - 0.02


def test_it_learns_from_pictures_that_are_changed_at_random():
    """Bright above or below, which neither mirroring nor a turn by ten degrees changes."""
    recorder = Recorder()
    pictures = example.channels()["train"]
    turned = packed(np.stack([decode(each, 3, "").swapaxes(0, 1) for each in pictures.encoded]), pictures.label)

    how = {"augmentation_type": "crop_color_transform", "resize": 9, "epochs": 10, "learning_rate": 0.02}
    fit({"train": turned, "validation": turned}, more=recorder.more, **how)

    assert max(recorder.of("validation:accuracy")) > 0.9


def test_several_classes_can_be_true_of_a_picture():
    """Bright on the left, bright on the right, either, both."""
    random = np.random.default_rng(0)
    label = random.integers(0, 2, (24, 2))
    pixels = random.integers(0, 100, (24, 8, 8, 3))
    pixels[:, :, :4] += (120 * label[:, 0])[:, None, None, None]
    pixels[:, :, 4:] += (120 * label[:, 1])[:, None, None, None]
    channels = {"train": packed(pixels, label), "validation": packed(pixels[:16], label[:16])}
    for weighted in (0, 1):
        recorder = Recorder()

        model = fit(
            channels,
            more=recorder.more,
            multi_label=1,
            use_weighted_loss=weighted,
            mini_batch_size=4,
            epochs=5,
            learning_rate=0.02,
            top_k=None,
        )

        assert max(recorder.of("validation:accuracy")) > 0.9
        prediction = model.predict(channels["train"])["prediction"]
        assert ((prediction > 0.5) == (label > 0.5)).mean() > 0.9
        assert not np.allclose(prediction.sum(axis=1), 1, atol=0.05)


def test_the_model_is_that_of_the_best_epoch():
    recorder = Recorder()

    model = fit(more=recorder.more, epochs=4, learning_rate=0.05)

    accuracies = recorder.of("validation:accuracy")
    assert model.accuracy == max(accuracies)
    assert model.epoch == accuracies.index(max(accuracies)) + 1
    rows = example.channels()["validation"]
    right = (model.predict(rows)["prediction"].argmax(axis=1) == rows.label[:, 0]).mean()
    assert right == pytest.approx(model.accuracy)


def test_without_validation_the_last_epoch_counts():
    model = fit({"train": example.channels()["train"]})

    assert (model.epoch, model.accuracy) == (2, None)


def test_weights_of_epochs_are_kept_where_it_is_asked_for(tmp_path):
    model = fit(epochs=4, checkpoint_frequency=2)

    model.save(tmp_path)
    assert list(model.epochs) == [2, 4]
    assert list(type(model).load(tmp_path).epochs) == [2, 4]


def test_it_ends_early_where_nothing_improves():
    """A learning rate of zero: no epoch is better than the first."""
    recorder = Recorder()
    how = {"early_stopping": True, "early_stopping_min_epochs": 3, "early_stopping_patience": 2}

    fit(more=recorder.more, epochs=20, learning_rate=0, **how)

    assert len(recorder.of("train:accuracy")) == 3


def test_patience_counts_epochs_that_gain_less_than_the_tolerance():
    settings = Hyperparameters.read(
        {
            **example.HYPERPARAMETERS,
            "epochs": 20,
            "early_stopping": True,
            "early_stopping_tolerance": 0.1,
            "early_stopping_patience": 2,
            "early_stopping_min_epochs": 1,
        }
    )
    progress = Progress()

    overs = []
    for accuracy in (0.5, 0.52, 0.56, 0.57, 0.58):
        progress.epoch += 1
        better = progress.early_stopping.update(accuracy, progress.epoch, settings.early_stopping_tolerance)
        overs.append((better, progress.is_over(settings)))

    assert overs == [(True, False), (True, False), (True, False), (True, False), (True, True)]
    assert progress.early_stopping.best_epoch == 5


def test_lines_are_those_of_the_original():
    recorder = Recorder()

    fit(more=recorder.more, mini_batch_size=1, epochs=1, learning_rate=0.0001)

    text = "\n".join(recorder.notes)
    assert re.search(
        r"^Epoch\[0\] Batch \[20\]\tSpeed: [\d.]+ samples/sec\taccuracy=[\d.]+\ttop_k_accuracy_2=1.0", text, re.M
    )
    assert re.search(r"^Epoch\[0\] Time cost=[\d.]+$", text, re.M)
    assert "Performing random weight initialization" in text and "num_layers: 20" in text
    assert "checkpoint_frequency not set, will store the best model" in text
    assert re.search(r"^Storing the best model with validation accuracy: [\d.]+$", text, re.M)


def test_another_number_of_pictures_than_the_settings_say_is_noted():
    recorder, quiet = Recorder(), Recorder()
    count = len(example.channels()["train"])

    fit(more=recorder.more, num_training_samples=1000, mini_batch_size=500, epochs=2, lr_scheduler_step="1")
    fit(more=quiet.more, num_training_samples=count, epochs=1)

    text = f"num_training_samples is 1,000, where the epoch had {count} pictures; the learning rate falls by"
    assert [note.startswith(text) for note in recorder.notes].count(True) == 1
    assert f"A step takes 500 pictures by mini_batch_size; the epoch had only {count}, one step." in recorder.notes
    assert not any("the epoch had" in note for note in quiet.notes)


def test_curves_and_confusion_are_left_beside_the_model():
    recorder = Recorder()

    fit(more=recorder.more)

    assert [axes.get_title() for axes in recorder.files["curves.png"].axes] == ["cross-entropy", "accuracy"]
    assert recorder.files["confusion.png"].axes[0].get_ylabel() == "class"
    assert recorder.files["confusion.csv"].sum() == 8
    assert list(recorder.files["classes.csv"]) == ["class", "pictures", "recall", "precision"]
    assert len(recorder.files["curves.csv"]["train_loss"]) == 2


def test_a_loss_that_is_no_number_is_reported():
    with pytest.raises(UserError, match="learning_rate: must be small enough"):
        fit(optimizer="rmsprop", learning_rate=1.0, epochs=30, eps=0.0, gamma=0.0, momentum=0.0)


def test_a_picture_that_cannot_be_read_is_reported_with_its_place():
    pictures = example.channels()["train"]
    broken = [*pictures.encoded]
    broken[5] = broken[5][:-20]
    places = [f"train/a.rec, record {number + 1}" for number in range(len(broken))]
    given = {"train": Images(encoded=broken, label=pictures.label, places=places)}

    with pytest.raises(UserError, match=r"train/a\.rec, record 6: is cut off"):
        fit(given)


def test_a_picture_smaller_than_the_network_s_is_reported():
    small = packed(np.zeros((8, 6, 9, 3)), np.zeros(8))

    with pytest.raises(UserError, match="must have at least 8 x 8 pixels.*it has 9 x 6.*resize"):
        fit({"train": small})
    fit({"train": small}, resize=10, epochs=1)


@pytest.mark.parametrize(
    ("how", "setting"),
    [
        ({"num_layers": 32}, "num_layers"),
        ({"image_shape": "3,8,9"}, "image_shape"),
        ({"num_classes": 3}, "num_classes"),
        ({"multi_label": 1, "top_k": None}, "multi_label"),
    ],
)
def test_a_model_for_incremental_training_must_fit(how, setting):
    start = fit(epochs=1)

    with pytest.raises(UserError, match=f"{setting}: must be that of the model to start from"):
        fit(more={"start": start}, **how)


def test_a_pretrained_model_that_is_not_there_is_reported():
    with pytest.raises(UserError, match=r"use_pretrained_model: must be 0.*carries no weights of 18 layers.*'model'"):
        fit(num_layers=18, image_shape="3,40,40", resize=40, use_pretrained_model=1)


def test_a_pretrained_model_gives_all_but_the_last_layer(tmp_path, monkeypatch):
    how = {"num_layers": 18, "image_shape": "3,8,8"}
    earlier = fit(epochs=1, **how)
    earlier.save(tmp_path / "resnet-18")
    monkeypatch.setattr(initialization, "PRETRAINED", tmp_path)

    three = fit(use_pretrained_model=1, num_classes=3, learning_rate=0, epochs=1, **how)

    weights = {name: array for name, array in three.weights.items() if not name.startswith("fc1_")}
    learned = {name for name in weights if "moving" not in name}
    assert all(np.array_equal(weights[name], earlier.weights[name]) for name in learned)
    assert three.weights["fc1_weight"].shape == (3, 512)


@pytest.mark.parametrize("how", [{}, {"augmentation_type": "crop_color_transform", "resize": 10}], ids=str)
def test_two_members_give_the_loss_curve_of_one(how):
    """With augmentation too, as random changes belong to a picture and not to who decodes it."""
    settings = Hyperparameters.read({**example.HYPERPARAMETERS, **how})

    def losses(group=None):
        rows = example.channels()
        sources = {name: Memory(pictures, group=group) for name, pictures in rows.items()}
        recorder = Recorder()
        more = {"group": group} if group else {}
        train.fit(Job(hyperparameters=settings, channels=sources, reporter=Reporter(keep=recorder.keep), **more))
        return recorder.files["curves.csv"]["train_loss"]

    alone, shared = losses(), together(2, losses)

    np.testing.assert_allclose(shared[0], alone, rtol=1e-4)


def test_settings_that_do_not_go_together_are_reported_at_once():
    given = {"num_classes": 1, "num_training_samples": 5, "num_layers": 19, "image_shape": "2,0,9999", "top_k": 3}
    given |= {"lr_scheduler_step": "20,10", "epochs": 3, "checkpoint_frequency": 4}

    with pytest.raises(UserError) as caught:
        Hyperparameters.read(given)

    for name in ("num_layers", "image_shape", "lr_scheduler_step", "checkpoint_frequency", "top_k", "num_classes"):
        assert any(finding.startswith(f"{name}: must") for finding in caught.value.findings), name


def test_blanks_in_a_shape_are_read_over():
    assert Hyperparameters.read({"num_classes": 2, "num_training_samples": 5, "image_shape": "3, 28, 30"}).shape == (
        3,
        28,
        30,
    )


def test_a_job_without_pictures_is_reported():
    with pytest.raises(UserError, match="Channel 'train' has no pictures"):
        fit({"train": Images(encoded=[], label=np.empty((0, 1), np.float32))})


def test_a_job_is_what_its_settings_say():
    assert job(epochs=5).hyperparameters.epochs == 5
