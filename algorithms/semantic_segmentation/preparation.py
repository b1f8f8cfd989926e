"""How pictures and their masks become the input of a network: size, crop, mirroring, blur.    h height   w width"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.decoding import Pixels, library
from algoport.algorithms.shared.vision.masks import IGNORED, Mask
from algoport.algorithms.shared.vision.transforms import resize_to, shorter_side

DRAWS = 6  # random numbers a picture: mirroring, size, place of the crop, whether it is blurred, and how much
SCALES = (0.5, 2.0)  # least and most that base_size is multiplied by

Pair = NDArray[np.uint8]  # (h, w, 4): red, green, blue, class


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pictures and masks of classes become squares of the network's size."""

    crop: int  # pixels of a side
    base: int  # pixels of a training picture's longer side, times a number of SCALES

    def training(self, pixels: Pixels, mask: Mask, draws: NDArray[np.float64]) -> Pair:
        """Mirrored, enlarged or reduced, cropped and blurred at random; black, and ignored, where the picture ends.

        Only what the crop shows is interpolated. Nearest numbers of the mask, never means of them.
        """
        h, w = mask.shape
        least, most = SCALES
        longer = self.base * (least + float(draws[1]) * (most - least))
        height, width = (max(1, round(side * longer / max(h, w))) for side in (h, w))
        if draws[0] < 0.5:
            pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        top, bottom = _span(height, self.crop, float(draws[2]))
        left, right = _span(width, self.crop, float(draws[3]))
        out = np.zeros((self.crop, self.crop, 4), np.uint8)
        out[..., 3] = IGNORED
        shown = out[: bottom - top, : right - left]
        shown[..., :3] = _enlarged(np.ascontiguousarray(pixels), height, width, (top, bottom, left, right))
        rows, columns = _nearest(h, height, top, bottom), _nearest(w, width, left, right)
        shown[..., 3] = mask[np.ix_(rows, columns)]
        if draws[4] < 0.5 and draws[5] > 0:
            shown[..., :3] = library().GaussianBlur(np.ascontiguousarray(shown[..., :3]), (0, 0), float(draws[5]))
        return out

    def validation(self, pixels: Pixels, mask: Mask) -> Pair:
        """The middle, once the shorter side has the length of the crop."""
        pixels = shorter_side(pixels, self.crop)
        height, width = pixels.shape[:2]
        top, bottom = _span(height, self.crop, 0.5)
        left, right = _span(width, self.crop, 0.5)
        out = np.empty((self.crop, self.crop, 4), np.uint8)
        out[..., :3] = pixels[top:bottom, left:right]
        h, w = mask.shape
        out[..., 3] = mask[np.ix_(_nearest(h, height, top, bottom), _nearest(w, width, left, right))]
        return out


def _span(length: int, crop: int, share: float) -> tuple[int, int]:
    """Where a crop begins and ends, of all places that are equally likely; the whole where there is no more."""
    room = max(0, length - crop)
    first = min(int(share * (room + 1)), room)
    return first, min(first + crop, length)


def _nearest(few: int, many: int, first: int, last: int) -> NDArray[np.int64]:
    """Which of `few` places each of a range of `many` is nearest to, both spread over the same length."""
    return np.minimum(((np.arange(first, last) + 0.5) * few / many).astype(np.int64), few - 1)


def _enlarged(pixels: Pixels, height: int, width: int, window: tuple[int, int, int, int]) -> Pixels:
    """A window, top, bottom, left and right, of the picture at another size."""
    top, bottom, left, right = window
    h, w = pixels.shape[:2]
    if 2 * height < h or 2 * width < w:  # areas are averaged
        return resize_to(pixels, height, width)[top:bottom, left:right]
    cv2 = library()
    across, down = w / width, h / height
    matrix = np.array(
        [[across, 0, (left + 0.5) * across - 0.5], [0, down, (top + 0.5) * down - 0.5]]
    )  # from a place of the window to one of the picture
    return np.asarray(
        cv2.warpAffine(
            pixels,
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )
