"""How pictures become the input of a network."""

import numpy as np

from algoport.algorithms.image_classification.preparation import LEVELS, Preparation
from tests.algorithms.shared.vision.pictures import gradients


def prepared(pixels: np.ndarray, draws=None, **how) -> np.ndarray:
    preparation = Preparation(**{"channels": 3, "height": 8, "width": 6, **how})
    if draws is None:
        return preparation.validation(pixels, "a")
    return preparation.training(pixels, np.asarray(draws, float), "a")


def test_without_augmentation_the_center_is_taken():
    pixels = gradients(12, 10)

    np.testing.assert_array_equal(prepared(pixels), pixels[2:10, 2:8])
    np.testing.assert_array_equal(prepared(pixels, np.zeros(10)), pixels[2:10, 2:8])


def test_crops_reach_every_corner_and_half_of_them_are_mirrored():
    pixels = gradients(9, 8)

    first = prepared(pixels, [0, 0, 0.9, *[0.5] * 7], augmentation="crop")
    last = prepared(pixels, [0.999, 0.999, 0.1, *[0.5] * 7], augmentation="crop")

    np.testing.assert_array_equal(first, pixels[:8, :6])
    np.testing.assert_array_equal(last, pixels[1:, 2:][:, ::-1])


def test_the_middle_of_all_draws_changes_nothing():
    pixels = gradients(8, 6)

    for level in LEVELS:
        output = prepared(pixels, np.full(10, 0.5), augmentation=level)
        assert np.abs(output.astype(int) - pixels).max() <= 4, level  # colors are rounded on the way there and back
