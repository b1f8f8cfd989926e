"""Shingles: windows that slide over a series of readings.    n readings   d numbers each   s readings a window"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.randomcutforest import kernels
from algoport.algorithms.shared.features import check_width


class Shingles:
    """Windows over readings that come batch by batch; the last s - 1 readings wait for the next batch."""

    def __init__(self, s: int, d: int) -> None:
        self._s = s
        self.waiting = np.empty((0, d), np.float32)

    def add(self, readings: NDArray[np.float32]) -> NDArray[np.float32]:
        """The windows (w, s * d) that end with these readings (n, d): the oldest reading first. The readings
        themselves where a window is one reading."""
        if self._s == 1:
            return readings
        whole = np.concatenate([self.waiting, readings])
        self.waiting = whole[max(0, len(whole) - self._s + 1) :].copy()
        return windows(whole, self._s)


def windows(readings: NDArray[np.float32], s: int) -> NDArray[np.float32]:
    """All whole windows over the readings."""
    n, d = readings.shape
    if n < s:
        return np.empty((0, s * d), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(readings, s, axis=0)  # (n - s + 1, d, s)
    return np.ascontiguousarray(view.transpose(0, 2, 1)).reshape(n - s + 1, s * d)


def padded_windows(readings: NDArray[np.float32], s: int) -> NDArray[np.float32]:
    """A window for each reading (n, s * d), as if the first one had stood for a while."""
    return windows(np.concatenate([np.repeat(readings[:1], s - 1, axis=0), readings]), s)


def checked_readings(batch: Rows, d: int, channel: str) -> NDArray[np.float32]:
    """The rows of a batch (n, d); `UserError` where one has not d numbers, or one that no box can hold."""
    check_width(batch, d, channel)
    rows = batch.dense()
    reach = kernels.reach(rows)
    if not np.isfinite(reach):
        raise UserError(f"Channel '{channel}': a row has a missing or infinite value, which no box can hold.")
    if reach > kernels.MOST:
        raise UserError(
            f"Channel '{channel}': values must lie within {kernels.MOST:.0e} of zero; the farthest is {reach:g}."
        )
    return rows
