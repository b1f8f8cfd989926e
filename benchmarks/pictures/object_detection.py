"""Scenes of clothes with their classes and boxes, as they are learned from."""

import numpy as np

from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.shared.vision.decoding import decode, encode
from benchmarks import data
from benchmarks.pictures import COLORS
from benchmarks.pictures.image_classification import NAMES

SIZE = (7, 2.1)
SIDE, SHOWN = 300, 4
CLASSES = (1, 5, 7, 8)  # trousers, sandals, sneakers and bags


def scenes(count, part, seed):
    """Some of the clothes at random places and sizes, on gray."""
    pixels, label = data.fashion(part)
    some = np.flatnonzero(np.isin(label, CLASSES))
    random = np.random.default_rng(seed)
    files, objects = [], []
    for _ in range(count):
        scene, rows = np.full((SIDE, SIDE), 235, np.uint8), []
        for _ in range(int(random.integers(1, 5))):
            number = int(random.choice(some))
            thing = np.kron(pixels[number].reshape(28, 28), np.ones((4, 4))).astype(np.uint8)[
                :: int(random.integers(1, 3))
            ]
            thing = thing[:, :: 4 * 28 // len(thing)] if len(thing) < 112 else thing
            dark = np.argwhere(thing > 20)
            (top, left), (bottom, right) = dark.min(axis=0), dark.max(axis=0) + 1
            thing = thing[top:bottom, left:right]
            height, width = thing.shape
            y, x = int(random.integers(0, SIDE - height)), int(random.integers(0, SIDE - width))
            box = np.array([x, y, x + width, y + height]) / SIDE
            if any(overlap(box, other[1:]) > 0 for other in rows):
                continue
            place = scene[y : y + height, x : x + width]
            np.minimum(place, 255 - thing, out=place, where=thing > 20)
            rows.append([CLASSES.index(int(label[number])), *box])
        files.append(encode(np.repeat(scene[:, :, None], 3, axis=2)))
        objects.append(np.array(rows, np.float32).reshape(-1, 5))
    return Boxes(encoded=files, objects=objects)


def overlap(one, other):
    """Intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    inside = max(sides[0], 0) * max(sides[1], 0)
    return inside / (np.prod(one[2:] - one[:2]) + np.prod(np.subtract(other[2:], other[:2])) - inside)


def draw(figure):
    some = scenes(SHOWN, "t10k", 2)
    for axis, file, objects in zip(figure.subplots(1, SHOWN).flat, some.encoded, some.objects, strict=True):
        axis.imshow(decode(file, 3, "scene"))
        for number, *corners in objects.tolist():
            left, top, right, bottom = (SIDE * corner for corner in corners)
            axis.add_patch(_rectangle(left, top, right - left, bottom - top, COLORS[int(number)]))
            axis.text(left, top - 4, NAMES[CLASSES[int(number)]], fontsize=7, color=COLORS[int(number)])
        axis.set_axis_off()
    figure.suptitle(
        "Pictures with a class and a box for each object: what is learned from, and what is answered", fontsize=9
    )


def _rectangle(x, y, width, height, color):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, fill=False, edgecolor=color, linewidth=1.2)
