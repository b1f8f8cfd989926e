"""Confusion matrices and what follows from them, against scikit-learn."""

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score

from algoport.algorithms.shared.vision import confusion


def test_figures_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    true = random.choice([0, 1, 2, 3, 255], (5, 40, 30)).astype(np.uint8)
    predicted = np.where(random.random(true.shape) < 0.6, np.minimum(true, 3), random.integers(0, 4, true.shape))
    counts = true != 255

    table = confusion.confusion(true, predicted.astype(np.uint8), 4)

    np.testing.assert_array_equal(table, confusion_matrix(true[counts], predicted[counts]))
    ious = jaccard_score(true[counts], predicted[counts], average=None)
    np.testing.assert_allclose(confusion.intersection_over_union(table), ious)
    assert np.isclose(confusion.mean_iou(table), ious.mean())
    assert np.isclose(confusion.pixel_accuracy(table), accuracy_score(true[counts], predicted[counts]))


def test_a_class_that_never_occurs_counts_as_nothing_right():
    table = confusion.confusion(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), 2)

    assert confusion.intersection_over_union(table).tolist() == [1, 0] and confusion.mean_iou(table) == 0.5
    assert confusion.pixel_accuracy(np.zeros((3, 3))) == confusion.mean_iou(np.zeros((3, 3))) == 0
