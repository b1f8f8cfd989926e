"""Labels, losses, and what counts as right."""

import numpy as np
import pytest
import torch

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import losses
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters


def settings(**more: object) -> Hyperparameters:
    return Hyperparameters.read({"num_classes": 3, "num_training_samples": 9, **more})


def labeled(rows: list[list[float]]) -> tuple[np.ndarray, Images]:
    places = [f"train/a.rec, record {number + 1}" for number in range(len(rows))]
    return np.array(rows, np.float32), Images(encoded=[b""] * len(rows), places=places)


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([[0], [3]], {}, "record 2: the label must be a class from 0 to 2 (num_classes is 3); it is 3."),
        ([[-1]], {}, "record 1: the label must be a class from 0 to 2"),
        ([[0.5]], {}, "it is 0.5"),
        ([[float("nan")]], {}, "it is nan"),
        ([[0, 1, 0]], {}, "must have one label; it has 3"),
        ([[0]], {"multi_label": 1}, "must have 3 labels with multi_label=1"),
        ([[0, 1, 1], [0, 2, 0]], {"multi_label": 1}, "record 2: labels must be 0 or 1"),
    ],
)
def test_a_label_that_is_none_is_reported_with_its_record(rows, more, message):
    with pytest.raises(UserError) as caught:
        losses.targets(*labeled(rows), settings(**more), "train")

    assert message in str(caught.value)


def test_pictures_without_labels_are_refused():
    with pytest.raises(UserError, match="Channel 'train': pictures must have labels"):
        losses.targets(None, Images(encoded=[b""]), settings(), "train")


def test_the_loss_is_the_cross_entropy_summed():
    scores = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]])
    wanted = torch.tensor([1, 0])

    loss = losses.Loss(False)(scores, wanted)

    chances = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(axis=1, keepdims=True)
    assert float(loss) == pytest.approx(-np.log(chances[[0, 1], [1, 0]]).sum(), rel=1e-6)


def test_what_is_rare_weighs_more():
    scores = torch.tensor([[1.0, -2.0]])
    wanted = torch.tensor([[1.0, 0.0]])
    weights = losses.positive_weights(np.array([25.0, 0.0]), 100.0)

    loss = losses.Loss(True, weights)(scores, wanted)

    assert weights.tolist() == [3.0, losses.MOST_WEIGHT]
    assert float(loss) == pytest.approx((3 * np.log1p(np.exp(-1.0)) + np.log1p(np.exp(-2.0))) / 2, rel=1e-6)


def test_hits_are_counted_by_class_and_by_picture():
    scores = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])

    assert losses.hits(scores, torch.tensor([2, 1]), 2) == (1.0, 2.0)
    assert losses.hits(scores, torch.tensor([0, 0]), None) == (1.0, 0.0)
    right, _ = losses.hits(scores - 1.5, torch.tensor([[0.0, 1, 1], [0, 0, 0]]), None)
    assert right == pytest.approx(1 + 1 / 3)


def test_a_class_weighs_as_its_negatives_are_to_its_positives_over_all_batches():
    rows, images = labeled([[1, 0, 1], [0, 0, 1]])
    parts = [Images(encoded=images.encoded, label=rows), Images(encoded=[]), Images(encoded=[b""], label=rows[:1])]

    weights = losses.class_weights(iter(parts), settings(multi_label=1), Alone())

    assert weights.tolist() == [1 / 2, 3, 1 / losses.MOST_WEIGHT]
