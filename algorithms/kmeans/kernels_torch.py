"""The twin of `kernels.py` for GPUs.    n rows   d features   k centers

Same functions and signatures, held to the same tests; NumPy arrays in and out. Distances come from a matrix
product (|x|² - 2 x·c + |c|²) around the mean of the centers, so that a common offset costs no digits; TF32 stays
off for the same reason. Sums run in float64 by `index_add_`, whose order of additions a GPU does not fix: two runs
agree to about 1e-15 relative and not bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Scores are (rows, k) float32: at most this many bytes of them at a time.
SCORES = 1 << 28


def accumulate(
    rows: NDArray[np.float32],  # in   (n, d)
    centers: NDArray[np.float32],  # in   (k, d)
    sums: NDArray[np.float64],  # adds (k, d)
    counts: NDArray[np.float64],  # adds (k,)
) -> float:
    """Give every row to its nearest center; returns the sum of squared distances. Ties go to the lower index."""
    there = _move(centers)
    total, number = _move(np.zeros_like(sums)), _move(np.zeros_like(counts))
    loss = 0.0
    for block in _blocks(rows, len(centers)):
        index, square = _nearest(block, there)
        total.index_add_(0, index, block.double())
        number.index_add_(0, index, torch.ones_like(index, dtype=torch.float64))
        loss += float(square.sum(dtype=torch.float64))
    sums += total.cpu().numpy()
    counts += number.cpu().numpy()
    return loss


def nearest(rows: NDArray[np.float32], centers: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Index (n,) int32 of the nearest center, and the Euclidean distance (n,) float32 to it."""
    there = _move(centers)
    index, distance = np.empty(len(rows), np.int32), np.empty(len(rows), np.float32)
    done = 0
    for block in _blocks(rows, len(centers)):
        label, square = _nearest(block, there)
        place = slice(done, done + len(block))
        index[place], distance[place] = label.int().cpu().numpy(), square.sqrt().cpu().numpy()
        done += len(block)
    return index, distance


def _blocks(rows: NDArray[np.float32], k: int) -> Iterator[Tensor]:
    size = max(1, SCORES // (4 * k))
    for first in range(0, len(rows), size):
        yield _move(rows[first : first + size])


def _nearest(rows: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Labels by the product form; squared distances to them by differences, which do not cancel."""
    middle = centers.mean(dim=0)
    moved = centers - middle
    scores = torch.addmm((moved * moved).sum(dim=1), rows - middle, moved.T, alpha=-2)
    index = scores.argmin(dim=1)
    return index, (rows - centers[index]).square().sum(dim=1)


def _move(array: NDArray[np.float32] | NDArray[np.float64]) -> Tensor:
    if not array.flags.writeable:
        array = array.copy()  # torch warns of arrays that it must not write to
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE)
