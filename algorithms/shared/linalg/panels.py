"""Products with a matrix that is packed once for many of them, in tiles as in `gemm`.    m rows   n columns"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.gemm import HEIGHT, pack_rows_, some_panels_
from algoport.algorithms.shared.threads import share

BAND = HEIGHT * 4  # rows of a task
PARTS = 4  # of the panels, each with a task of its own


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _panel_task(
    task,  # its number
    across,  # tasks with the same rows
    wide,  # panels of a task
    a,  # in   (m, k) float32
    panels,  # in   (q, k, WIDTH) float32
    out,  # sets (m, n) float32
    fresh,  # 1: out = , 0: out +=
):
    """Some rows times some panels."""
    m, k = a.shape
    top, first = task // across * BAND, task % across * wide
    rows = min(BAND, m - top)
    packed = np.empty((rows + HEIGHT - 1) // HEIGHT * HEIGHT * k, np.float32)
    pack_rows_(a, top, rows, packed)
    some_panels_(packed, rows, k, panels, first, min(len(panels), first + wide), out, top, out.shape[1], fresh)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def multiply_panels_(
    workers,  # in   threads
    a,  # in   (m, k) float32
    panels,  # in   (q, k, WIDTH) float32  as `pack_panels_` sets them
    out,  # sets (m, n) float32
    fresh,  # 1: out = , 0: out +=
):
    """The product of a matrix and one that is in panels already. A row's numbers do not depend on the other rows."""
    wide = (len(panels) + PARTS - 1) // PARTS
    across = (len(panels) + wide - 1) // wide if wide else 0
    share(workers, _panel_task, (a.shape[0] + BAND - 1) // BAND * across, (across, wide, a, panels, out, fresh))
