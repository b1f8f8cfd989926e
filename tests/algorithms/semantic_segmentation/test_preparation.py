"""Pictures and masks move together, and masks keep their classes."""

import numpy as np
import pytest

from algoport.algorithms.semantic_segmentation.preparation import Preparation

CROP = 32


def picture(height, width):
    """Blocks of classes, and pixels that say their class: 40 times it."""
    rows, columns = np.mgrid[:height, :width]
    mask = ((rows * 3 // height) + 2 * (columns * 3 // width)).astype(np.uint8)
    return np.repeat((40 * mask)[..., None], 3, axis=2), mask


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (20, 20), (7, 120)])
def test_pixels_of_training_are_of_the_class_beside_them(size):
    pixels, mask = picture(*size)
    how = Preparation(crop=CROP, base=48)
    random = np.random.default_rng(0)
    for _ in range(40):
        out = how.training(pixels, mask, np.append(random.random(4), [0.9, 0.0]))

        assert out.shape == (CROP, CROP, 4)
        inside = out[..., 3] != 255
        assert not out[~inside][:, :3].any(), "what is outside the picture is black"
        right = np.abs(out[..., 0].astype(int) - 40 * out[..., 3]) < 20
        # At the borders of classes pixels are between two colors.
        assert right[inside].mean() > 0.8 and set(np.unique(out[..., 3])) <= {*range(7), 255}


def test_the_size_is_drawn_between_half_and_twice_the_base():
    """Of a picture of one row's pattern, as many pixels are shown as the size says."""
    mask = np.zeros((40, 40), np.uint8)
    pixels = np.full((40, 40, 3), 9, np.uint8)
    how = Preparation(crop=100, base=40)

    shown = [
        (how.training(pixels, mask, np.array([1, share, 0, 0, 1, 0.0]))[..., 3] == 0).sum() for share in (0, 0.5, 1)
    ]

    assert shown == [20 * 20, 50 * 50, 80 * 80]


def test_half_of_the_pictures_are_mirrored_and_half_blurred():
    pixels, mask = picture(40, 40)
    how = Preparation(crop=40, base=40)
    plain = np.array([0.9, 1 / 3, 0, 0, 0.9, 0.9])  # at its own size

    whole = how.training(pixels, mask, plain)
    mirrored = how.training(pixels, mask, np.where(np.arange(6) == 0, 0.1, plain))
    blurred = how.training(pixels, mask, np.where(np.arange(6) == 4, 0.1, plain))

    np.testing.assert_array_equal(whole[..., 3], mask)
    np.testing.assert_array_equal(whole[..., :3], pixels)
    np.testing.assert_array_equal(mirrored, whole[:, ::-1])
    np.testing.assert_array_equal(blurred[..., 3], mask)
    assert (blurred[..., :3] != pixels).any()


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (20, 20), (33, 32)])
def test_validation_shows_the_middle_at_the_size_of_the_crop(size):
    pixels, mask = picture(*size)

    out = Preparation(crop=CROP, base=48).validation(pixels, mask)

    assert out.shape == (CROP, CROP, 4)
    assert out[CROP // 2, CROP // 2, 3] == mask[size[0] // 2, size[1] // 2]
    assert (np.abs(out[..., 0].astype(int) - 40 * out[..., 3]) < 20).mean() > 0.8
