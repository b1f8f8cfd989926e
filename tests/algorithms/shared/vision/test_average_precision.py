"""Average precision against a plain implementation of Pascal VOC's rules, and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from algoport.algorithms.shared.vision.average_precision import HIT, MISSES, PASSED_OVER, curves, mean, verdicts
from tests.algorithms.shared.vision.test_boxes import overlap, some_boxes


def plainly(detections, objects, difficult, k, threshold):
    """The average precision of one class over pictures, as VOC's program computes it from 2010 on."""
    rows = [(row[1], number, row[2:]) for number, own in enumerate(detections) for row in own if row[0] == k]
    rows.sort(key=lambda row: -row[0])
    wanted = sum(int(((own[:, 0] == k) & ~hard).sum()) for own, hard in zip(objects, difficult, strict=True))
    matched, right, wrong = set(), [], []
    for _, number, box in rows:
        best, at = -1.0, -1
        for j, each in enumerate(objects[number]):
            if each[0] == k and overlap(box, each[1:5]) > best:
                best, at = overlap(box, each[1:5]), j
        if best > threshold:
            if difficult[number][at]:
                continue
            right.append((number, at) not in matched)
            matched.add((number, at))
        else:
            right.append(False)
        wrong.append(not right[-1])
    hits = np.cumsum(right)
    recall, precision = hits / wanted, hits / np.arange(1, len(hits) + 1)
    recall, precision = np.r_[0, recall, 1], np.r_[0, precision, 0]
    for i in range(len(precision) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return ((recall[steps + 1] - recall[steps]) * precision[steps + 1]).sum()


@pytest.mark.parametrize("seed", range(8))
def test_it_is_that_of_a_plain_implementation(seed):
    random = np.random.default_rng(seed)
    detections, objects, difficult = [], [], []
    for _ in range(12):
        count = int(random.integers(0, 6))
        own = some_boxes(random, count)
        objects.append(np.column_stack([random.integers(0, 3, count), own]).astype(np.float32))
        difficult.append(random.random(count) < 0.2)
        near = np.vstack([own + random.normal(scale=0.02, size=own.shape), own, some_boxes(random, 4)]).clip(0, 1)
        named = np.concatenate([objects[-1][:, 0], random.integers(0, 3, len(near) - count)])
        score = np.sort(random.random(len(near)))[::-1]
        detections.append(np.column_stack([random.permutation(named), score, near]).astype(np.float32))

    table = np.concatenate(
        [
            np.column_stack([own[:, :2], verdicts(own, each, hard, 0.5)])
            for own, each, hard in zip(detections, objects, difficult, strict=True)
        ]
    )
    counts = sum(
        np.bincount(each[~hard, 0].astype(int), minlength=3) for each, hard in zip(objects, difficult, strict=True)
    )
    whole = curves(table.astype(np.float64), counts.astype(np.float64))

    for k, curve in whole.items():
        assert curve.average_precision == pytest.approx(plainly(detections, objects, difficult, k, 0.5))
    assert mean(whole) == pytest.approx(np.mean([each.average_precision for each in whole.values()]))


def test_of_two_detections_of_an_object_the_second_misses_and_a_difficult_one_is_passed_over():
    box, other = [0.1, 0.1, 0.4, 0.4], [0.6, 0.6, 0.9, 0.9]
    objects = np.array([[0, *box], [0, *other]], np.float32)
    detections = np.array([[0, 0.9, *box], [0, 0.8, *box], [1, 0.7, *box], [0, 0.6, *other]], np.float32)

    assert verdicts(detections, objects, np.array([False, True]), 0.5).tolist() == [HIT, MISSES, MISSES, PASSED_OVER]
    assert verdicts(detections[:0], objects, np.array([False, True]), 0.5).tolist() == []
    assert verdicts(detections, objects[:0], np.zeros(0, bool), 0.5).tolist() == [MISSES] * 4


def test_a_class_without_objects_has_no_curve_and_one_without_detections_has_zero():
    whole = curves(np.array([[0, 0.9, HIT], [2, 0.9, MISSES]], float), np.array([2.0, 1.0, 0.0]))

    assert sorted(whole) == [0, 1]
    assert whole[0].average_precision == 0.5
    assert whole[1].average_precision == 0.0
    assert mean({}) == 0.0
