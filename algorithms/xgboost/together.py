"""What the members of a job know together, the same however the rows are shared out among them.    n rows"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.sampling.reservoir import positions

# Bits of a sum in whole numbers; what is left of 64 is for the sign.
_WHOLE = 62


def exact(values: NDArray[Any], group: Group) -> NDArray[np.float64]:
    """The sums over the rows (n, ...) of all members, in whole numbers: bitwise the same for any order.

    Each value is rounded to 2 ** -62 of what their number times the greatest could be. NaN or infinity where a value
    is. Two exchanges.
    """
    values = np.asarray(values, np.float64)
    shape = values.shape[1:]
    flat = values.reshape(len(values), math.prod(shape))
    most = np.abs(flat).max(axis=0, initial=0.0)  # NaN where a value is NaN
    facts = np.concatenate(group.gather(np.concatenate([[float(len(flat))], most])[None]))
    n, most = facts[:, 0].sum(), facts[:, 1:].max(axis=0)
    sums = np.empty(flat.shape[1])
    scales = np.array([_scale(m, n) for m in most])
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.array([_round(flat[:, j], scales[j]) for j in range(len(sums))], np.int64)
        plain = np.where(np.isfinite(most), 0.0, flat.sum(axis=0))
    group.sum_(whole, plain)
    return np.asarray(np.where(np.isfinite(most), whole / scales, plain).reshape(shape))


def mean(values: NDArray[Any], weights: NDArray[Any], group: Group) -> NDArray[np.float64]:
    """The mean over the rows of all members; `weights` is empty where each row weighs 1. 0 where there is none."""
    values = np.asarray(values, np.float64)
    own = np.asarray(weights, np.float64) if len(weights) else np.ones(len(values))
    weighted = values * own.reshape(-1, *([1] * (values.ndim - 1)))
    sums = exact(np.column_stack([weighted.reshape(len(values), math.prod(values.shape[1:])), own]), group)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(sums[-1] == 0, sums[:-1], sums[:-1] / sums[-1])
    return np.asarray(means.reshape(values.shape[1:]))


class Everyone:
    """The rows of all members, in the order of the records."""

    def __init__(self, n: int, group: Group) -> None:
        counts = np.concatenate(group.gather(np.array([n], np.int64)))
        places = [positions(counts, rank) for rank in range(len(counts))]
        self._group = group
        self._order = np.argsort(np.concatenate(places), kind="stable")
        self.mine = places[group.rank]  # where this member's rows stand

    def __len__(self) -> int:
        return len(self._order)

    def of(self, mine: NDArray[Any]) -> NDArray[Any]:
        """What all members have of these; an exchange of the whole."""
        parts = self._group.gather(np.ascontiguousarray(mine))
        return parts[0] if len(parts) == 1 else np.asarray(np.concatenate(parts)[self._order])


def _scale(most: float, n: float) -> float:
    if most == 0 or not math.isfinite(most):
        return 1.0
    bits = _WHOLE - math.ceil(math.log2(max(n, 1))) - math.frexp(most)[1]
    return math.ldexp(1.0, max(min(bits, 1000), -1000))


def _round(values: NDArray[np.float64], scale: float) -> int:
    return int(np.rint(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) * scale).astype(np.int64).sum())
