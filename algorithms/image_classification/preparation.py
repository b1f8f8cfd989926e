"""How pictures become the input of a network: size, crop, mirroring, colors.    h height   w width"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.image_classification.hyperparameters import LEVELS
from algoport.algorithms.shared.vision.decoding import MOST, Pixels
from algoport.algorithms.shared.vision.transforms import affine, recolor, resize_to, shorter_side

DRAWS = 10  # random numbers a picture: place of the crop, mirroring, geometry, colors
COLORS = (36.0, 50.0, 50.0)  # most that hue, saturation and lightness are moved


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pictures become the input of a network."""

    channels: int
    height: int
    width: int
    resize: int | None = None  # pixels that the shorter side gets before cropping
    augmentation: str = ""  # one of LEVELS; empty: none

    def training(self, pixels: Pixels, draws: NDArray[np.float64], place: str) -> Pixels:
        """A picture of training: resized, changed at random, cropped."""
        return self._crop(pixels, draws if self.augmentation else None, place)

    def validation(self, pixels: Pixels, place: str) -> Pixels:
        """A picture of validation: resized, and its center."""
        return self._crop(pixels, None, place)

    def request(self, pixels: Pixels) -> Pixels:
        """A picture of a request: brought to the size of the network, whatever that does to its proportions."""
        return resize_to(pixels, self.height, self.width)

    def _crop(self, pixels: Pixels, draws: NDArray[np.float64] | None, place: str) -> Pixels:
        if self.resize is not None:
            _check_size(pixels, self.resize, place)
            pixels = shorter_side(pixels, self.resize)
        if draws is not None and self.augmentation == LEVELS[2]:
            pixels = affine(pixels, draws[3:7])
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
        return recolor(pixels, draws[7:10], COLORS) if self.augmentation != LEVELS[0] else pixels


def _check_size(pixels: Pixels, side: int, place: str) -> None:
    """`UserError` where a picture would have more pixels than we decode, once its shorter side is that long."""
    h, w = pixels.shape[:2]
    count = side * side * max(h, w) // min(h, w)
    if count > MOST:
        raise UserError(
            f"{place}: must have at most {MOST} pixels once its shorter side is {side}, as resize says; the picture of "
            f"{w} x {h} would have {count}."
        )


def _offset(room: int, share: float) -> int:
    """Where a crop begins, of `room + 1` places that are equally likely; the middle for a half."""
    return min(int(share * (room + 1)), room)
