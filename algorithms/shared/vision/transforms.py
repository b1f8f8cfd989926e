"""Changes of pictures before a network sees them: size, and the random geometry and colors of training.

h height   w width   c channels   n pictures

Random changes are functions of the seed, the pass and the number of the picture, and of nothing else: not of the order
in which pictures are decoded, nor of the host that decodes them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared import randomness
from algoport.algorithms.shared.vision.decoding import Pixels, library

Draws = NDArray[np.float64]  # (n, count) from 0 to 1

ROTATION, SHEAR, ASPECT = 10.0, 0.1, 0.25  # most degrees, ratio of shear, and change of the aspect ratio


def draws(seed: int, epoch: int, numbers: NDArray[np.int64], count: int) -> Draws:
    """So many random numbers for each picture in a pass, each a hash of the seed, the pass and the picture's number."""
    with np.errstate(over="ignore"):
        key = randomness.hashes(randomness.hashes(seed & (2**64 - 1)) + np.uint64(epoch))
        rows = randomness.hashes(numbers.astype(np.uint64) + key)[:, None]
    return randomness.shares(randomness.draws(rows, np.arange(count)))


def shorter_side(pixels: Pixels, length: int) -> Pixels:
    """The picture in its proportions, with a shorter side of that length."""
    h, w = pixels.shape[:2]
    if min(h, w) == length:
        return pixels
    scale = length / min(h, w)
    return resize_to(pixels, max(length, round(h * scale)), max(length, round(w * scale)))


def resize_to(pixels: Pixels, height: int, width: int) -> Pixels:
    """The picture at another size. Areas are averaged where it shrinks to less than half, else pixels interpolated."""
    h, w, c = pixels.shape
    if (h, w) == (height, width):
        return pixels
    cv2 = library()
    far = 2 * height < h or 2 * width < w
    out = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if far else cv2.INTER_LINEAR)
    return np.asarray(out).reshape(height, width, c)


def affine(pixels: Pixels, draws: NDArray[np.float64]) -> Pixels:
    """Rotated, sheared and stretched about its middle at random; what comes from outside repeats the edge."""
    cv2 = library()
    h, w, c = pixels.shape
    angle = math.radians(ROTATION) * (2 * draws[0] - 1)
    shear = SHEAR * (2 * draws[1] - 1)
    ratio = math.sqrt(1 + ASPECT * (2 * draws[2] - 1))
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    matrix = turn @ np.array([[1, shear], [0, 1]]) @ np.diag([ratio, 1 / ratio])
    middle = np.array([(w - 1) / 2, (h - 1) / 2])
    whole = np.column_stack([matrix, middle - matrix @ middle])
    moved = cv2.warpAffine(pixels, whole, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved).reshape(h, w, c)


def recolor(pixels: Pixels, draws: NDArray[np.float64], most: tuple[float, float, float]) -> Pixels:
    """Hue, saturation and lightness moved at random, each by at most that, in OpenCV's ranges 180, 255 and 255; of a
    gray picture, the lightness."""
    cv2 = library()
    hue, saturation, lightness = (round(limit * (2 * float(draw) - 1)) for limit, draw in zip(most, draws, strict=True))
    levels = np.arange(256, dtype=np.int64)
    light = np.clip(levels + lightness, 0, 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        return np.asarray(cv2.LUT(pixels, light)).reshape(pixels.shape)
    tables = np.stack([(levels + hue) % 180, light, np.clip(levels + saturation, 0, 255)], axis=1).astype(np.uint8)
    turned = cv2.LUT(cv2.cvtColor(pixels, cv2.COLOR_RGB2HLS), tables.reshape(1, 256, 3))
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_HLS2RGB))
