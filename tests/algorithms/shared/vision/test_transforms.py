"""Changes of pictures."""

import numpy as np
import pytest

from algoport.algorithms.shared.vision import transforms
from tests.algorithms.shared.vision.pictures import gradients


def test_draws_are_a_function_of_seed_pass_and_number():
    numbers = np.arange(2000)
    whole = transforms.draws(3, 5, numbers, 10)

    np.testing.assert_array_equal(transforms.draws(3, 5, numbers[7:9], 10), whole[7:9])
    assert not (transforms.draws(3, 6, numbers, 10) == whole).any()
    assert not (transforms.draws(4, 5, numbers, 10) == whole).any()
    assert ((whole >= 0) & (whole < 1)).all()
    np.testing.assert_allclose(whole.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(np.corrcoef(whole.T), np.eye(whole.shape[1]), atol=0.09)


@pytest.mark.parametrize("channels", [1, 3])
def test_lightness_moves_by_as_much_as_is_drawn(channels):
    pixels = np.full((4, 4, channels), 100, np.uint8)

    output = transforms.recolor(pixels, np.array([0.5, 0.5, 1.0]), (36, 50, 50))

    np.testing.assert_allclose(output, 150, atol=2)


def test_a_turn_is_about_the_middle_and_edges_are_repeated():
    pixels = np.zeros((21, 21, 3), np.uint8)
    pixels[10, 10] = 200

    output = transforms.affine(pixels, np.array([1.0, 0.2, 0.9, 0.5]))

    assert output.shape == pixels.shape and output[10, 10, 0] > 120
    np.testing.assert_array_equal(transforms.affine(np.full((9, 9, 1), 7, np.uint8), np.ones(4)), 7)


@pytest.mark.parametrize(
    ("shape", "length", "want"), [((100, 50), 20, (40, 20)), ((5, 7), 10, (10, 14)), ((8, 8), 8, (8, 8))]
)
def test_the_shorter_side_gets_its_length(shape, length, want):
    assert transforms.shorter_side(gradients(*shape), length).shape == (*want, 3)


def test_a_picture_that_shrinks_far_is_averaged():
    """Every second pixel is white: what is left is gray, wherever one looks."""
    pixels = np.zeros((64, 64, 1), np.uint8)
    pixels[:, ::2] = 200

    np.testing.assert_array_equal(transforms.resize_to(pixels, 8, 8), 100)
