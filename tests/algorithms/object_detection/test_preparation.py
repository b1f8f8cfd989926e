"""Boxes move along with the pixels that they are around."""

from __future__ import annotations

import numpy as np
import pytest

from algoport.algorithms.object_detection.preparation import GRAY, Preparation, cut

SIDE = 300


def square(random, count=1):
    """A dark picture, and bright rectangles of whole pixels that do not touch."""
    h, w = random.integers(80, 200, 2)
    pixels, rows = np.zeros((h, w, 3), np.uint8), []
    for number in range(count):
        top, left = number * h // count + 4, int(random.integers(4, w // 2))
        bottom, right = (number + 1) * h // count - 4, left + int(random.integers(w // 4, w // 2 - 4))
        pixels[top:bottom, left:right] = 255
        rows.append([number, left / w, top / h, right / w, bottom / h])
    return pixels, np.array(rows, np.float32).reshape(-1, 5)


@pytest.mark.parametrize("seed", range(30))
def test_a_box_stays_around_its_bright_rectangle(seed):
    random = np.random.default_rng(seed)
    pixels, objects = square(random)

    changed, moved = Preparation(SIDE).training(pixels, objects, random.random())

    assert changed.shape == (SIDE, SIDE, 3)
    if not len(moved):
        return
    # Colors change, too: what is bright is far from what is dark and from the gray around the picture.
    levels = changed.astype(int).max(axis=2)
    x, y = (moved[0, 1] + moved[0, 3]) / 2 * SIDE, (moved[0, 2] + moved[0, 4]) / 2 * SIDE
    bright = np.abs(levels - levels[int(y), int(x)]) < 30
    ys, xs = np.flatnonzero(bright.mean(axis=1) > 0.02), np.flatnonzero(bright.mean(axis=0) > 0.02)
    edges = np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]) / SIDE
    np.testing.assert_allclose(moved[0, 1:], edges, atol=0.03)


def test_what_is_drawn_follows_from_the_draw_alone():
    pixels, objects = square(np.random.default_rng(0), 3)
    prepare = Preparation(SIDE).training

    one, other = prepare(pixels, objects, 0.4), prepare(pixels, objects, 0.4)
    different = [prepare(pixels, objects, draw)[0] for draw in (0.1, 0.2, 0.3)]

    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert not any(np.array_equal(one[0], each) for each in different)


def test_objects_have_boxes_within_the_picture_and_may_all_be_gone_of_none():
    random = np.random.default_rng(1)
    for seed in range(200):
        pixels, objects = square(random, 1 + seed % 4)
        _, moved = Preparation(SIDE).training(pixels, objects, random.random())
        corners = moved[:, 1:5]
        assert (corners >= 0).all() and (corners <= 1).all() and (corners[:, :2] < corners[:, 2:]).all()
    none = np.empty((0, 5), np.float32)
    assert Preparation(SIDE).training(pixels, none, 0.9)[1].shape == (0, 5)


def test_what_is_outside_of_the_picture_is_gray():
    pixels = np.full((10, 20, 3), 200, np.uint8)

    out = cut(pixels, (-1.0, -1.0, 1.0, 1.0), 40)

    assert (out[:20] == GRAY).all() and (out[:, :20] == GRAY).all()
    assert (out[20:, 20:] == 200).all()
