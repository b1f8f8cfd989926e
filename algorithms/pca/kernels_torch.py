"""The kernels that a GPU does better, on PyTorch tensors; the same functions and signatures as `kernels`.

What streams by is packed on the host; the products of a panel are one float64 matrix product on the device, which
has units for it, so that the result differs from the host's only in the last digits of float32.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from algoport.algorithms.pca.kernels import STRIP


def multiply(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    rows: int,
    pairs: NDArray[np.int64],
    heights: NDArray[np.int64],
    widths: NDArray[np.int64],
    same: bool,
    sums: NDArray[np.float64],
) -> None:
    """Products of strips, summed over the panel's rows: sums[0, q] += left[i]' right[j] where pairs[q] = (i, j)."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    b = torch.from_numpy(right[:, :rows]).to(device).double()
    a = b if same else torch.from_numpy(left[:, :rows]).to(device).double()
    whole = a.transpose(0, 1).reshape(rows, -1).T @ b.transpose(0, 1).reshape(rows, -1)
    blocks = whole.reshape(len(a), STRIP, len(b), STRIP).transpose(1, 2)
    chosen = torch.from_numpy(pairs).to(device)
    sums[0] += blocks[chosen[:, 0], chosen[:, 1]].cpu().numpy()
