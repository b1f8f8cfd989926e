"""How pictures and the boxes in them become the input of a network: crop, mirroring, size, colors.

h height   w width   s side of the network's input   o objects
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.decoding import Pixels, library
from algoport.algorithms.shared.vision.transforms import recolor, resize_to

DRAWS = 1  # random numbers a picture: the seed of all others, whose number depends on what is drawn
PADDING, MOST_PADDING, GRAY = 0.5, 4.0, 127  # how often a picture becomes a part of a larger gray one, and how large
CROPPING = 5 / 6  # how often a part is cut out of it
OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of a crop with some object, at least: one of these
LEAST_SCALE, ASPECTS, TRIALS = 0.3, (0.5, 2.0), 25
COLORS, COLORING = (18.0, 32.0, 32.0), 0.5  # most that hue, saturation and lightness are moved, and how often each is
CONTRAST = 0.5

Objects = NDArray[np.float32]  # (o, 5 + e): class, xmin, ymin, xmax, ymax in fractions of width and height, others
Box = tuple[float, float, float, float]  # xmin, ymin, xmax, ymax
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Preparation:
    """How pictures become the input of a network."""

    side: int

    def plain(self, pixels: Pixels) -> Pixels:
        """Brought to the size of the network, whatever that does to the picture's proportions."""
        return resize_to(pixels, self.side, self.side)

    def training(self, pixels: Pixels, objects: Objects, draw: float) -> tuple[Pixels, Objects]:
        """With random changes (Liu et al. 2016, section 2.2): sometimes a part of a larger gray picture, mostly a crop
        that some object fills well, sometimes mirrored, in other colors. Objects whose middle is outside are gone."""
        random = np.random.default_rng(int(draw * 2**53))
        region, objects = WHOLE, objects.copy()
        if random.random() < PADDING:
            region, objects = _within(region, objects, _padding(random))
        if random.random() < CROPPING:
            crop = _crop(random, objects, pixels.shape[1] / pixels.shape[0])
            if crop is not None:
                region, objects = _within(region, objects, crop)
        out = cut(pixels, region, self.side)
        if random.random() < 0.5:
            out = np.ascontiguousarray(out[:, ::-1])
            objects[:, [1, 3]] = 1 - objects[:, [3, 1]]
        return _recolor(random, out), objects


def _padding(random: np.random.Generator) -> Box:
    """A box that the picture lies in, up to `MOST_PADDING` times its sides, in fractions of these."""
    scale = 1 + (MOST_PADDING - 1) * random.random()
    left, top = random.random(2) * (scale - 1)
    return (-left, -top, scale - left, scale - top)


def _crop(random: np.random.Generator, objects: Objects, aspect: float) -> Box | None:
    """A part of the picture that overlaps some object as much as was drawn; None where no such part comes, or none is
    there. `aspect`: of the picture, width to height."""
    if not len(objects):
        return None
    least = OVERLAPS[int(random.integers(len(OVERLAPS)))]
    for _ in range(TRIALS):
        scale = LEAST_SCALE + (1 - LEAST_SCALE) * random.random()
        low, high = max(ASPECTS[0] / aspect, scale * scale), min(ASPECTS[1] / aspect, 1 / (scale * scale))
        ratio = math.sqrt(low + max(high - low, 0.0) * random.random())
        wide, high_ = min(scale * ratio, 1.0), min(scale / ratio, 1.0)
        left, top = random.random() * (1 - wide), random.random() * (1 - high_)
        box = (left, top, left + wide, top + high_)
        if _overlap(box, objects).max() >= least and _inside(box, objects).any():
            return box
    return None


def _overlap(box: Box, objects: Objects) -> NDArray[np.float64]:
    """(o,) the intersection over the union of a box and each object."""
    own = objects[:, 1:5].astype(np.float64)
    wide = np.minimum(own[:, 2], box[2]) - np.maximum(own[:, 0], box[0])
    high = np.minimum(own[:, 3], box[3]) - np.maximum(own[:, 1], box[1])
    common = np.maximum(wide, 0) * np.maximum(high, 0)
    areas = (own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])
    return np.asarray(common / np.maximum(areas + (box[2] - box[0]) * (box[3] - box[1]) - common, 1e-12))


def _inside(box: Box, objects: Objects) -> NDArray[np.bool_]:
    """(o,) whether the middle of each object is within the box."""
    x, y = (objects[:, 1] + objects[:, 3]) / 2, (objects[:, 2] + objects[:, 4]) / 2
    return np.asarray((x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3]))


def _within(region: Box, objects: Objects, box: Box) -> tuple[Box, Objects]:
    """The region of the picture that a box within the region is, and the objects whose middle is in the box, in its
    fractions."""
    wide, high = region[2] - region[0], region[3] - region[1]
    whole = (
        region[0] + box[0] * wide,
        region[1] + box[1] * high,
        region[0] + box[2] * wide,
        region[1] + box[3] * high,
    )
    left = objects[_inside(box, objects)]
    low, size = np.array(box[:2]), np.array(box[2:]) - np.array(box[:2])
    for first in (1, 3):
        left[:, first : first + 2] = np.clip((left[:, first : first + 2] - low) / size, 0, 1)
    return whole, left


def cut(pixels: Pixels, region: Box, side: int) -> Pixels:
    """A region of a picture (s, s, c), in fractions of its sides; what is outside of it is gray."""
    h, w, c = pixels.shape
    # Whole pixels of the picture that are in the region, one at least; and their place in the cut.
    left, right = _span(region[0], region[2], w)
    top, bottom = _span(region[1], region[3], h)
    x, wide = _place(left / w, right / w, region[0], region[2], side)
    y, high = _place(top / h, bottom / h, region[1], region[3], side)
    part = resize_to(np.ascontiguousarray(pixels[top:bottom, left:right]), high, wide)
    if (high, wide) == (side, side):
        return part
    out = np.full((side, side, c), GRAY, np.uint8)
    out[y : y + high, x : x + wide] = part
    return out


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(round(low * size), 0), size - 1)
    return first, max(min(round(high * size), size), first + 1)


def _place(low: float, high: float, start: float, end: float, side: int) -> tuple[int, int]:
    """Where a part from `low` to `high` of a region lies in a side of so many pixels, and how many it takes."""
    first = min(max(round((low - start) / (end - start) * side), 0), side - 1)
    last = max(min(round((high - start) / (end - start) * side), side), first + 1)
    return first, last - first


def _recolor(random: np.random.Generator, pixels: Pixels) -> Pixels:
    """Hue, saturation, lightness and contrast moved, each in half of the pictures."""
    chosen = random.random(4) < COLORING
    draws = np.where(chosen[:3], random.random(3), 0.5)
    contrast = 1 + CONTRAST * (2 * random.random() - 1)
    if chosen[:3].any():
        pixels = recolor(pixels, draws, COLORS)
    if chosen[3]:
        levels = np.clip(np.rint(np.arange(256) * contrast), 0, 255).astype(np.uint8)
        pixels = np.asarray(library().LUT(pixels, levels))
    return pixels
