"""Matching, hard negatives, decoding and suppression against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.shared.vision import boxes
from algoport.algorithms.shared.vision.anchors import VARIANCES, of_map
from algoport.algorithms.shared.vision.kernels import boxes as kernels


def overlap(one, other):
    """Of two boxes."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    common = wide * high
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


def plain_match(anchors, objects, threshold):
    """The object of each anchor, or -1: the best pair of those left at a time, then the threshold."""
    table = np.array([[overlap(anchor, each) for each in objects] for anchor in anchors]).reshape(len(anchors), -1)
    own = np.full(len(anchors), -1)
    left = table.copy()
    for _ in range(len(objects)):
        i, j = np.unravel_index(np.argmax(left), left.shape)
        if left[i, j] <= kernels.LEAST:
            break
        own[i] = j
        left[i], left[:, j] = -1, -1
    for i in range(len(anchors)):
        if own[i] < 0 and table.shape[1] and table[i].max() > threshold:
            own[i] = np.argmax(table[i])
    return own


def some_boxes(random, count):
    """Corners on a grid of 32, so that ties and equal boxes come."""
    low = random.integers(0, 24, (count, 2))
    return np.hstack([low, low + random.integers(1, 9, (count, 2))]).astype(np.float32) / 32


@settings(deadline=None, max_examples=60)
@given(a=some.integers(1, 40), o=some.integers(0, 6), seed=some.integers(0, 9999))
def test_objects_take_the_best_pairs_first_and_then_what_is_beyond_the_threshold(a, o, seed):
    random = np.random.default_rng(seed)
    anchors = some_boxes(random, a) + np.linspace(0, 1e-3, a, dtype=np.float32)[:, None]
    objects = some_boxes(random, o) + np.linspace(0, 1e-4, o, dtype=np.float32)[:, None]
    own, best = np.empty(a, np.int32), np.empty(a, np.float32)

    kernels.match(anchors, objects, np.float32(0.3), own, best)

    np.testing.assert_array_equal(own, plain_match(anchors, objects, 0.3))
    want = [max([overlap(anchor, each) for each in objects], default=0.0) for anchor in anchors]
    np.testing.assert_allclose(best, want, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(a=some.integers(0, 30), count=some.integers(-1, 40), seed=some.integers(0, 9999))
def test_the_hardest_are_those_of_a_stable_sort(a, count, seed):
    """Whole numbers, so that ties are common."""
    loss = np.random.default_rng(seed).integers(-2, 5, a).astype(np.float32)
    chosen = np.empty(a, np.bool_)

    kernels.hardest(loss, count, chosen)

    order = [i for i in np.argsort(-loss, kind="stable") if loss[i] >= 0][: max(count, 0)]
    np.testing.assert_array_equal(np.flatnonzero(chosen), np.sort(order))


def test_targets_are_offsets_of_matched_anchors_and_the_hardest_negatives():
    random = np.random.default_rng(3)
    anchors = of_map((6, 6), (0.3, 0.4), (1.0, 2.0, 0.5))
    objects = np.array([[1, 0.1, 0.1, 0.4, 0.45], [0, 0.5, 0.4, 0.9, 0.8]], np.float32)
    scores = random.normal(size=(1, len(anchors), 3)).astype(np.float32)

    classes, offsets = boxes.targets(anchors, [objects], scores, boxes.Assignment())

    own = plain_match(anchors, objects[:, 1:], 0.5)
    positive = own >= 0
    np.testing.assert_array_equal(classes[0][positive], objects[own[positive], 0] + 1)
    background = -scores[0, :, 0] + np.log(np.exp(scores[0]).sum(axis=1))
    best = np.array([max(overlap(anchor, each[1:]) for each in objects) for anchor in anchors])
    allowed = np.flatnonzero(~positive & (best < 0.5))
    hardest = allowed[np.argsort(-background[allowed])][: 3 * positive.sum()]
    np.testing.assert_array_equal(np.flatnonzero(classes[0] == 0), np.sort(hardest))
    decoded = np.empty((positive.sum(), 4), np.float32)
    kernels.decode(anchors, offsets[0], VARIANCES, np.flatnonzero(positive).astype(np.int32), decoded)
    np.testing.assert_allclose(decoded, objects[own[positive], 1:], atol=1e-6)
    assert not offsets[0][~positive].any()


@pytest.mark.parametrize("lead", [0.0, 6.0, 40.0])
@pytest.mark.parametrize("count", [1, 3, 60, 200])
def test_negatives_are_the_hardest_of_all_however_sure_the_network_is(lead, count):
    """Also where most anchors are seen to be easy without their losses."""
    random = np.random.default_rng(count)
    scores = random.normal(size=(1, 150, 21)).astype(np.float32)
    scores[0, :, 0] += np.float32(lead) * random.random(150).astype(np.float32)
    anchors = some_boxes(random, 150)

    classes, _ = boxes.targets(anchors, [np.empty((0, 5), np.float32)], scores, boxes.Assignment(least=count))

    exact = scores[0].astype(np.float64)
    loss = np.log(np.exp(exact).sum(axis=1)) - exact[:, 0]
    np.testing.assert_array_equal(np.flatnonzero(classes[0] == 0), np.sort(np.argsort(-loss)[:count]))


def test_a_picture_without_objects_has_a_few_negatives_and_nothing_else():
    anchors = of_map((4, 4), (0.3,), (1.0,))
    scores = np.random.default_rng(0).normal(size=(1, 16, 3)).astype(np.float32)

    classes, offsets = boxes.targets(anchors, [np.empty((0, 5), np.float32)], scores, boxes.Assignment(least=3))

    assert (classes == 0).sum() == 3
    assert (classes == -1).sum() == 13
    assert not offsets.any()


def plain_detections(anchors, scores, offsets, how):
    """One picture's, by loops over all anchors and pairs."""
    rows = []
    for anchor, score, offset in zip(anchors.astype(float), scores.astype(float), offsets.astype(float), strict=True):
        probability = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
        best = int(np.argmax(probability[1:]))
        if probability[best + 1] < how.least:
            continue
        wide, high = anchor[2] - anchor[0], anchor[3] - anchor[1]
        x, y = (
            (anchor[0] + anchor[2]) / 2 + offset[0] * 0.1 * wide,
            (anchor[1] + anchor[3]) / 2 + offset[1] * 0.1 * high,
        )
        w, h = wide * np.exp(0.2 * offset[2]) / 2, high * np.exp(0.2 * offset[3]) / 2
        corners = np.clip([x - w, y - h, x + w, y + h], 0, 1)
        rows.append([best, probability[best + 1], *corners])
    rows = sorted(rows, key=lambda row: -row[1])[: how.most]
    remaining = []
    for row in rows:
        rivals = [other for other in remaining if how.across or other[0] == row[0]]
        if all(overlap(row[2:], other[2:]) <= how.overlap for other in rivals):
            remaining.append(row)
    return np.array([row for row in remaining if row[4] > row[2] and row[5] > row[3]]).reshape(-1, 6)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize(("least", "most"), [(0.01, 400), (0.4, 400), (0.2, 7), (1.0, 9)])
def test_detections_are_those_of_plain_loops(across, least, most):
    random = np.random.default_rng(5)
    anchors = of_map((9, 9), (0.2, 0.3), (1.0, 2.0, 0.5))
    scores = random.normal(size=(3, len(anchors), 4)).astype(np.float32)
    offsets = random.normal(size=(3, len(anchors), 4)).astype(np.float32)
    how = boxes.Selection(least=least, most=most, overlap=0.4, across=across)

    rows = boxes.detections(anchors, scores, offsets, how)

    for own, *picture in zip(rows, scores, offsets, strict=True):
        np.testing.assert_allclose(own, plain_detections(anchors, *picture, how), atol=1e-5)


def test_anchors_are_the_sizes_and_ratios_around_the_middles_of_places():
    """The example of the paper's first map: 38 x 38 places, steps of 8 pixels of 300."""
    anchors = of_map((38, 38), (0.1, 0.141), (1.0, 2.0, 0.5), 8 / 300)

    assert anchors.shape == (38 * 38 * 4, 4)
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2 * 300
    np.testing.assert_allclose(middles[:8], [[4, 4]] * 4 + [[12, 4]] * 4, atol=1e-3)
    sides = anchors[:4, 2:] - anchors[:4, :2]
    root = np.sqrt(2)
    np.testing.assert_allclose(
        sides, [[0.1, 0.1], [0.141, 0.141], [0.1 * root, 0.1 / root], [0.1 / root, 0.1 * root]], rtol=1e-5
    )
