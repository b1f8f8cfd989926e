"""Inner loops on boxes: matching with anchors, hard negatives, and suppression.

a anchors   o objects   n pictures   k classes, the background not counted   d detections

Boxes are corners xmin, ymin, xmax, ymax in fractions of width and height; overlap is the intersection over the union.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.vocabulary import exponential

SLACK = np.float32(1e-3)  # what rounding may take from a difference of scores
LEAST = 1e-6  # overlap below which no anchor is an object's own


@numba.njit(cache=True, nogil=True, inline="always")
def _area(boxes, i):
    return (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])


@numba.njit(cache=True, nogil=True, inline="always")
def _overlap(boxes, i, others, j):
    """Of box i of some with box j of others."""
    wide = min(boxes[i, 2], others[j, 2]) - max(boxes[i, 0], others[j, 0])
    high = min(boxes[i, 3], others[j, 3]) - max(boxes[i, 1], others[j, 1])
    common = max(wide, np.float32(0)) * max(high, np.float32(0))
    whole = _area(boxes, i) + _area(others, j) - common
    return common / whole if whole > 0 else np.float32(0)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def overlaps(
    boxes,  # in   (a, 4) float32
    others,  # in   (o, 4) float32
    out,  # sets (o, a) float32
):
    """How much each box overlaps each of the others."""
    for j in range(len(others)):
        for i in range(len(boxes)):
            out[j, i] = _overlap(boxes, i, others, j)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def match(
    anchors,  # in   (a, 4) float32
    objects,  # in   (o, 4) float32
    threshold,  # float32
    object_of,  # sets (a,) int32    the object of each anchor; -1 of an anchor that has none
    best,  # sets (a,) float32  its largest overlap with any object
):
    """Give objects to anchors (Liu et al. 2016, section 2.2): first each object its best anchor, the largest overlap of
    all pairs that are left at a time; then each anchor that is left the object it overlaps most, above the threshold.

    Ties go to the lower anchor, then to the lower object. An object that overlaps no anchor has none.
    """
    a, o = len(anchors), len(objects)
    object_of[:] = -1
    best[:] = 0
    if o == 0:
        return
    table = np.empty((o, a), np.float32)
    overlaps(anchors, objects, table)
    nearest = np.zeros(a, np.int32)
    for j in range(o):
        for i in range(a):
            if table[j, i] > best[i]:
                best[i], nearest[i] = table[j, i], j
    # Of each object its best free anchor; only those whose anchor was taken are looked for again.
    place, value = np.full(o, -1, np.int64), np.zeros(o, np.float32)
    is_done = np.zeros(o, np.bool_)
    for _ in range(o):
        chosen = -1
        for j in range(o):
            if is_done[j]:
                continue
            if place[j] < 0 or object_of[place[j]] >= 0:
                place[j], value[j] = 0, np.float32(-1)
                for i in range(a):
                    if object_of[i] < 0 and table[j, i] > value[j]:
                        place[j], value[j] = i, table[j, i]
            if chosen < 0 or value[j] > value[chosen] or (value[j] == value[chosen] and place[j] < place[chosen]):
                chosen = j
        if value[chosen] <= LEAST:
            break
        object_of[place[chosen]] = chosen
        is_done[chosen] = True
    for i in range(a):
        if object_of[i] < 0 and best[i] > threshold:
            object_of[i] = nearest[i]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _edge(loss, count):
    """The least of the `count` largest numbers that are not below 0, of which there may be fewer; and how many."""
    values = np.empty(len(loss), np.float32)
    there = 0
    for i in range(len(loss)):
        if loss[i] >= 0:
            values[there] = loss[i]
            there += 1
    count = min(max(count, 0), there)
    if count == 0:
        return np.float32(0), 0
    return np.partition(values[:there], there - count)[there - count], count


@numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _lead(line):
    """By how much the largest score is above the background's."""
    most = line[0]
    for c in range(1, len(line)):
        most = line[c] if line[c] > most else most
    return most - line[0]


@numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _background_loss(line, lead):
    """The cross-entropy of the background; `lead`: of the largest score. Exponentials are vectors.

    Where the background is ahead, its own exponential is the one of log1p, which keeps the order of tiny losses.
    """
    others = np.float32(0)
    for c in range(1, len(line)):
        others += exponential(line[c] - line[0] - lead)
    if lead == 0:
        return np.log1p(others)
    return max(lead + np.log(others + exponential(-lead)), np.float32(0))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _losses_(scores, hard, count):
    """Replace what `_lead` says of anchors by their losses; by -1 where they cannot be among the hardest `count`.

    A loss is at least the lead, and at most that and the logarithm of the number of classes. So most anchors of a
    network that has learned something need no exponentials, which are most of a picture's time.
    """
    edge, _ = _edge(hard, count)
    edge -= np.float32(np.log(scores.shape[1])) + SLACK
    for i in range(len(hard)):
        if hard[i] >= 0:
            hard[i] = _background_loss(scores[i], hard[i]) if hard[i] >= edge else np.float32(-1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hardest(
    loss,  # in   (a,) float32  how hard each anchor is; those below 0 do not count
    count,  # how many are wanted
    out,  # sets (a,) bool    True of the hardest `count`, or of as many as there are
):
    """The hardest of anchors; of two that are equally hard, the lower. By selection, without sorting them."""
    out[:] = False
    edge, left = _edge(loss, count)
    if left == 0:
        return
    for i in range(len(loss)):
        if loss[i] > edge:
            out[i] = True
            left -= 1
    for i in range(len(loss)):
        if loss[i] == edge and left > 0:
            out[i] = True
            left -= 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def targets(
    anchors,  # in   (a, 4) float32
    objects,  # in   (o, 5) float32  class and corners
    scores,  # in   (a, k + 1) float32  of the network, the background's first
    threshold,  # float32             overlap above which an anchor has an object
    ratio,  # int                 hard negatives for each anchor that has an object
    least,  # int                 hard negatives of a picture at least
    variances,  # in   (4,) float32     what offsets are divided by
    classes,  # sets (a,) int64       class and 1; 0 of a negative; -1 of an anchor that is left out
    offsets,  # sets (a, 4) float32   of anchors that have an object; 0 of others
):
    """What a network should say of one picture (Liu et al. 2016, sections 2.2 and 3).

    Negatives are the anchors that overlap no object beyond the threshold and whose background is least probable.
    """
    a = len(anchors)
    object_of, best = np.empty(a, np.int32), np.empty(a, np.float32)
    match(anchors, objects[:, 1:5].copy(), threshold, object_of, best)
    hard = np.empty(a, np.float32)
    positives = 0
    for i in range(a):
        classes[i] = -1
        offsets[i] = 0
        hard[i] = -1
        j = object_of[i]
        if j >= 0:
            positives += 1
            classes[i] = np.int64(objects[j, 0]) + 1
            wide, high = anchors[i, 2] - anchors[i, 0], anchors[i, 3] - anchors[i, 1]
            x, y = (anchors[i, 0] + anchors[i, 2]) / 2, (anchors[i, 1] + anchors[i, 3]) / 2
            own_wide, own_high = objects[j, 3] - objects[j, 1], objects[j, 4] - objects[j, 2]
            offsets[i, 0] = ((objects[j, 1] + objects[j, 3]) / 2 - x) / wide / variances[0]
            offsets[i, 1] = ((objects[j, 2] + objects[j, 4]) / 2 - y) / high / variances[1]
            offsets[i, 2] = np.log(max(own_wide / wide, np.float32(1e-8))) / variances[2]
            offsets[i, 3] = np.log(max(own_high / high, np.float32(1e-8))) / variances[3]
        elif best[i] < threshold:
            hard[i] = _lead(scores[i])
    chosen, count = np.empty(a, np.bool_), max(ratio * positives, least)
    _losses_(scores, hard, count)
    hardest(hard, count, chosen)
    for i in range(a):
        if chosen[i]:
            classes[i] = 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def suppress(
    boxes,  # in   (d, 4) float32  by falling score
    classes,  # in   (d,) int32
    threshold,  # float32          overlap above which the weaker one is dropped
    across,  # bool               whether classes do not matter
    survives,  # sets (d,) bool
):
    """Non-maximum suppression: a box is dropped where a stronger one that survives, of the same class unless `across`,
    overlaps it beyond the threshold."""
    d = len(boxes)
    survives[:] = True
    for j in range(d):
        if not survives[j]:
            continue
        for i in range(j + 1, d):
            if survives[i] and (across or classes[i] == classes[j]):
                survives[i] = _overlap(boxes, i, boxes, j) <= threshold


@numba.njit(cache=True, nogil=True, error_model="numpy")
def candidates(
    scores,  # in   (a, k + 1) float32  of the network, the background's first
    least,  # float32             probability of a detection at least
    most,  # int                 how many there are, the most probable
    anchor,  # sets (most,) int32     of each, by falling probability
    class_,  # sets (most,) int32
    probability,  # sets (most,) float32
):
    """The best class but the background of each anchor, where it is probable enough; how many there are.

    Of two that are equally probable the lower anchor comes first. Exponentials are what a picture's time goes to, and
    most anchors need none.
    """
    a, width = scores.shape
    there, values, named = 0, np.empty(a, np.float32), np.empty(a, np.int32)
    # Without its other rivals a class would be at least as probable as it is.
    margin = np.log(least / (np.float32(1) - least))
    for i in range(a):
        best = 1
        for c in range(2, width):
            if scores[i, c] > scores[i, best]:
                best = c
        values[i] = -1
        named[i] = best - 1
        if scores[i, best] - scores[i, 0] < margin - SLACK:
            continue
        most_ = max(scores[i, 0], scores[i, best])
        whole = np.float32(0)
        for c in range(width):
            whole += np.exp(scores[i, c] - most_)
        value = np.exp(scores[i, best] - most_) / whole
        if value >= least:
            values[i] = value
            there += 1
    count = min(there, most)
    chosen = np.empty(a, np.bool_)
    hardest(values, count, chosen)
    places = np.empty(count, np.int32)
    at = 0
    for i in range(a):
        if chosen[i]:
            places[at] = i
            at += 1
    order = np.argsort(-values[places], kind="mergesort")
    for i in range(count):
        own = places[order[i]]
        anchor[i], class_[i], probability[i] = own, named[own], values[own]
    return count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def decode(
    anchors,  # in   (a, 4) float32
    offsets,  # in   (a, 4) float32
    variances,  # in   (4,) float32
    chosen,  # in   (d,) int32    which anchors
    out,  # sets (d, 4) float32  corners, clipped to the picture
):
    """Boxes from a network's offsets."""
    zero, one = np.float32(0), np.float32(1)
    for d in range(len(chosen)):
        i = chosen[d]
        wide, high = anchors[i, 2] - anchors[i, 0], anchors[i, 3] - anchors[i, 1]
        x = (anchors[i, 0] + anchors[i, 2]) / 2 + offsets[i, 0] * variances[0] * wide
        y = (anchors[i, 1] + anchors[i, 3]) / 2 + offsets[i, 1] * variances[1] * high
        # A network that is not trained may say anything: no side is beyond e^20 of its anchor's.
        half_wide = wide * np.exp(min(offsets[i, 2] * variances[2], np.float32(20))) / 2
        half_high = high * np.exp(min(offsets[i, 3] * variances[3], np.float32(20))) / 2
        out[d, 0] = min(max(x - half_wide, zero), one)
        out[d, 1] = min(max(y - half_high, zero), one)
        out[d, 2] = min(max(x + half_wide, zero), one)
        out[d, 3] = min(max(y + half_high, zero), one)
