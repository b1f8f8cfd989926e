"""Sums of products over all rows that stream by, in flat memory.    d features   l columns of a sketch   m members

Rows are shifted by a common offset before they are multiplied, so that float32 products do not drown in the squares of
a large mean; a column of ones behind the features makes their sum and number fall out of the same product.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Self

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.pca import kernels
from algoport.algorithms.shared.arrays import const

Array = NDArray[Any]
# Where fewer of the entries are there, sparse rows are multiplied as they are. At 5 % both ways took the same time
# on rows of 2,000 features.
DENSE = 0.05
# With few pairs of strips the threads share out the rows of a panel too; in parts that do not depend on their number.
PARTS, FEW = 4, 8


class Panels:
    """Gathers rows into panels and adds up X'X (a scatter) or (X W)'X (a sketch along the columns of W).

    Both with a column of ones behind X and behind X W: the last row and column are sums, and the last entry is how
    many rows there were.
    """

    def __init__(self, shift: NDArray[np.float32], *, along: Array | None = None, device: str = "cpu") -> None:
        self.shift = const(shift)
        self._columns = 0 if along is None else along.shape[1]  # l; 0 for a scatter
        self._along = None if along is None else const(kernels.pack_components(np.asarray(along, np.float32)))
        self.spread = np.zeros(1)  # sum of squares of the shifted rows; of a sketch, which does not know it otherwise
        self._kernels = _on(device)
        self._right = _strips(len(shift) + 1)
        self._left = _strips(self._columns + 1) if self._columns else self._right
        self._widths = _widths(len(shift) + 1)
        self._heights = _widths(self._columns + 1) if self._columns else self._widths
        self._pairs = np.array(
            [(i, j) for i in range(len(self._heights)) for j in range(0 if self._columns else i, len(self._widths))],
            np.int64,
        )
        self._parts = PARTS if len(self._pairs) < FEW else 1
        self.sums = np.zeros((self._parts, len(self._pairs), kernels.STRIP, kernels.STRIP))
        self._plain = np.zeros((0, 0))  # of rows multiplied as sparse ones; (d + 1, d + 1) once there are some
        self.filled = 0  # rows of the panel

    def add(self, rows: NDArray[np.float32]) -> None:
        """Let (n, d) rows stream by."""
        rows = const(rows)
        done = 0
        while done < len(rows):
            part = slice(done, done + kernels.PANEL - self.filled)
            some = rows[part]
            kernels.pack(some, self.shift, self._right, self.filled)
            if self._along is not None:
                self._sketch(some)
            self.filled, done = self.filled + len(some), done + len(some)
            if self.filled == kernels.PANEL:
                self._multiply()

    def _sketch(self, rows: NDArray[np.float32]) -> None:
        """Rows along W beside the rows themselves."""
        projected = np.empty((len(rows), self._columns), np.float32)
        kernels.project(rows, self.shift, self._along, projected)
        kernels.pack(const(projected), const(np.zeros(self._columns, np.float32)), self._left, self.filled)
        self.spread += kernels.spread(rows, self.shift)

    def add_sparse(self, rows: sparse.csr_array) -> None:
        """Let sparse rows stream by, which must be shifted by nothing; of a scatter only."""
        if not self._plain.size:
            self._plain = np.zeros((len(self.shift) + 1, len(self.shift) + 1))
        indptr, indices = const(rows.indptr, np.int64), const(rows.indices, np.int32)
        kernels.multiply_sparse(indptr, indices, const(rows.data), self._plain)

    def takes_sparse(self, rows: sparse.csr_array) -> bool:
        """Whether these rows are better multiplied as they are than spread out."""
        return not self._columns and not self.shift.any() and _is_thin(rows)

    def merge(self, group: Group) -> None:
        """Let the first member have all members' sums, and the others none; an exchange."""
        group.sum_(self.sums, self.spread)
        shapes = group.gather(np.array([len(self._plain)], np.int64))
        if max(int(shape[0]) for shape in shapes):
            self._plain = self._plain if self._plain.size else np.zeros((len(self.shift) + 1, len(self.shift) + 1))
            group.sum_(self._plain)
        if group.rank:
            for mine in (self.sums, self._plain, self.spread):
                mine[:] = 0

    def total(self, group: Group) -> NDArray[np.float64]:
        """The whole product at every member, what waits in the panel included; an exchange."""
        self._multiply()
        whole = self._whole()
        group.sum_(whole, self.spread)
        return whole

    @property
    def waiting(self) -> NDArray[np.float32]:
        """Rows of the panel that have not been multiplied yet, shifted, as they lie: (rows, strips, STRIP)."""
        strips = np.concatenate([self._right, self._left]) if self._columns else self._right
        return np.ascontiguousarray(strips[:, : self.filled].transpose(1, 0, 2))

    def state(self, group: Group) -> dict[str, Array]:
        """All of it, for a checkpoint, the same at every member; an exchange, after `merge`."""
        sums, plain, spread = self.sums.copy(), self._plain.copy(), self.spread.copy()
        group.broadcast_(sums, spread)
        if plain.size:
            group.broadcast_(plain)
        waits = {f"waiting.{rank}": rows for rank, rows in enumerate(group.gather(self.waiting))}
        return {"shift": np.array(self.shift), "sums": sums, "plain": plain, "spread": spread, **waits}

    @classmethod
    def restored(cls, state: Mapping[str, Array], along: Array | None, device: str, group: Group) -> Self:
        """Those of which `state` was taken."""
        panels = cls(state["shift"], along=along, device=device)
        panels._restore(state, group)
        return panels

    def _restore(self, state: Mapping[str, Array], group: Group) -> None:
        self.sums = state["sums"].copy() if group.rank == 0 else np.zeros_like(self.sums)
        self._plain = state["plain"].copy() if group.rank == 0 else np.zeros_like(state["plain"])
        self.spread = state["spread"].copy() if group.rank == 0 else np.zeros(1)
        waiting = state[f"waiting.{group.rank}"].transpose(1, 0, 2)
        self.filled = waiting.shape[1]
        self._right[:, : self.filled] = waiting[: len(self._right)]
        if self._columns:
            self._left[:, : self.filled] = waiting[len(self._right) :]

    def _multiply(self) -> None:
        """Add the panel's products to the sums, and empty it."""
        if self.filled:
            with numba.parallel_chunksize(1):  # pairs differ in width, and threads take them as they come
                self._kernels.multiply(
                    self._left,
                    self._right,
                    self.filled,
                    self._pairs,
                    self._heights,
                    self._widths,
                    not self._columns,
                    self.sums,
                )
        self.filled = 0

    def _whole(self) -> NDArray[np.float64]:
        """The sums as one matrix: (d + 1, d + 1), or (l + 1, d + 1) of a sketch."""
        height, width = (self._columns or len(self.shift)) + 1, len(self.shift) + 1
        strip = kernels.STRIP
        whole = np.zeros((len(self._heights) * strip, len(self._widths) * strip))
        blocks = self.sums[0] if self._parts == 1 else self.sums.sum(axis=0)
        for (i, j), block in zip(self._pairs, blocks, strict=True):
            here, there = slice(i * strip, (i + 1) * strip), slice(j * strip, (j + 1) * strip)
            if not self._columns and i == j:
                whole[here, here] = np.triu(block) + np.triu(block, 1).T
            else:
                whole[here, there] = block
                if not self._columns:
                    whole[there, here] = block.T
        whole = np.ascontiguousarray(whole[:height, :width])
        if self._plain.size:  # which has what lies above the diagonal
            whole += np.triu(self._plain) + np.triu(self._plain, 1).T
        return whole


def is_thin(rows: Rows) -> bool:
    """Whether rows are sparse, and so much so that they are better multiplied as they are."""
    return not isinstance(rows.features, np.ndarray) and len(rows) > 0 and _is_thin(rows.features)


def _is_thin(rows: sparse.csr_array) -> bool:
    return bool(rows.nnz < DENSE * rows.shape[0] * rows.shape[1])


def _strips(columns: int) -> NDArray[np.float32]:
    return np.zeros((-(-columns // kernels.STRIP), kernels.PANEL, kernels.STRIP), np.float32)


def _widths(columns: int) -> NDArray[np.int64]:
    """How many columns of each strip count."""
    strips = -(-columns // kernels.STRIP)
    return np.minimum(kernels.STRIP, columns - np.arange(strips, dtype=np.int64) * kernels.STRIP)


def _on(device: str) -> ModuleType:
    """The kernels of a device."""
    name = "kernels" if device == "cpu" else "kernels_torch"
    return importlib.import_module(f"algoport.algorithms.pca.{name}")
