"""What is done to a picture before a network sees it: size, crop, and the random changes of training.

h height   w width   c channels   n pictures

Random changes are functions of the seed, the pass and the number of the picture, and of nothing else: not of the order
in which pictures are decoded, nor of the host that decodes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import randomness
from algoport.algorithms.shared.vision.decoding import Pixels, library

Draws = NDArray[np.float64]  # (n, DRAWS) from 0 to 1

DRAWS = 10  # random numbers a picture
LEVELS = ("crop", "crop_color", "crop_color_transform")
HUE, SATURATION, LIGHTNESS = 36.0, 50.0, 50.0  # most that colors are moved, in OpenCV's ranges 180, 255, 255
ROTATION, SHEAR, ASPECT = 10.0, 0.1, 0.25  # most degrees, ratio of shear, and change of the aspect ratio


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pictures become the input of a network."""

    channels: int
    height: int
    width: int
    resize: int | None = None  # pixels that the shorter side gets before cropping
    augmentation: str = ""  # one of LEVELS; empty: none

    def trained(self, pixels: Pixels, draws: NDArray[np.float64], place: str) -> Pixels:
        """A picture of training: resized, changed at random, cropped."""
        return self._prepared(pixels, draws if self.augmentation else None, place)

    def judged(self, pixels: Pixels, place: str) -> Pixels:
        """A picture of validation: resized, and its center."""
        return self._prepared(pixels, None, place)

    def asked(self, pixels: Pixels) -> Pixels:
        """A picture of a request: brought to the size of the network, whatever that does to its proportions."""
        return resized(pixels, self.height, self.width)

    def _prepared(self, pixels: Pixels, draws: NDArray[np.float64] | None, place: str) -> Pixels:
        if self.resize is not None:
            pixels = shorter_side(pixels, self.resize)
        if draws is not None and self.augmentation == LEVELS[2]:
            pixels = transformed(pixels, draws[3:7])
        h, w = pixels.shape[:2]
        if h < self.height or w < self.width:
            raise UserError(
                f"{place}: must have at least {self.width} x {self.height} pixels, those of image_shape; it has "
                f"{w} x {h}. With the hyperparameter resize, smaller pictures are made larger."
            )
        across, down = (0.5, 0.5) if draws is None else (float(draws[0]), float(draws[1]))
        top, left = _offset(h - self.height, down), _offset(w - self.width, across)
        pixels = pixels[top : top + self.height, left : left + self.width]
        if draws is None:
            return np.ascontiguousarray(pixels)
        if draws[2] < 0.5:
            pixels = pixels[:, ::-1]
        pixels = np.ascontiguousarray(pixels)
        return recolored(pixels, draws[7:10]) if self.augmentation != LEVELS[0] else pixels


def draws(seed: int, epoch: int, numbers: NDArray[np.int64]) -> Draws:
    """The random numbers of pictures in a pass, each a hash of the seed, the pass and the picture's number."""
    with np.errstate(over="ignore"):
        key = randomness.hashes(randomness.hashes(seed & (2**64 - 1)) + np.uint64(epoch))
        rows = randomness.hashes(numbers.astype(np.uint64) + key)[:, None]
    return randomness.shares(randomness.draws(rows, np.arange(DRAWS)))


def _offset(room: int, share: float) -> int:
    """Where a crop begins, of `room + 1` places that are equally likely; the middle for a half."""
    return min(int(share * (room + 1)), room)


def shorter_side(pixels: Pixels, length: int) -> Pixels:
    """The picture in its proportions, with a shorter side of that length."""
    h, w = pixels.shape[:2]
    if min(h, w) == length:
        return pixels
    scale = length / min(h, w)
    return resized(pixels, max(length, round(h * scale)), max(length, round(w * scale)))


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """The picture at another size. Areas are averaged where it shrinks to less than half, else pixels interpolated."""
    h, w, c = pixels.shape
    if (h, w) == (height, width):
        return pixels
    cv2 = library()
    far = 2 * height < h or 2 * width < w
    out = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if far else cv2.INTER_LINEAR)
    return np.asarray(out).reshape(height, width, c)


def transformed(pixels: Pixels, draws: NDArray[np.float64]) -> Pixels:
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


def recolored(pixels: Pixels, draws: NDArray[np.float64]) -> Pixels:
    """Hue, saturation and lightness moved at random; of a gray picture, the lightness."""
    cv2 = library()
    hue, saturation, lightness = (
        round(most * (2 * float(draw) - 1)) for most, draw in zip((HUE, SATURATION, LIGHTNESS), draws, strict=True)
    )
    levels = np.arange(256, dtype=np.int64)
    light = np.clip(levels + lightness, 0, 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        return np.asarray(cv2.LUT(pixels, light)).reshape(pixels.shape)
    tables = np.stack([(levels + hue) % 180, light, np.clip(levels + saturation, 0, 255)], axis=1).astype(np.uint8)
    turned = cv2.LUT(cv2.cvtColor(pixels, cv2.COLOR_RGB2HLS), tables.reshape(1, 256, 3))
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_HLS2RGB))
