"""Arrays as compiled functions take them, and as a model file must hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from algoport.algorithms.contract.errors import UserError

SINGLE = np.dtype(np.float32)


def const(array: Any, dtype: DTypeLike = SINGLE) -> NDArray[Any]:
    """A contiguous, read-only view of that type: a mapped file or a read-only array is then no case of its own, for
    which numba would compile a second version. Copies only where the type or the order is another."""
    # np.require takes 2 us, of which a small step of a linear model has ten.
    if not isinstance(array, np.ndarray) or array.dtype is not dtype or not _in_order(array.flags):
        array = np.require(array, dtype, ["C", "A"])
    view: NDArray[Any] = array.view(np.ndarray)
    view.flags.writeable = False
    return view


def _in_order(flags: Any) -> bool:
    """As compiled functions take it, be it writable or not."""
    return bool(flags.carray or (flags.c_contiguous and flags.aligned))


def single(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: int | tuple[int, ...], what: str, *, file: str
) -> NDArray[np.float32]:
    """An array of a model file as float32, in C order.

    `UserError` where there is none of that name, where it has another shape (or number of dimensions,
    or is empty), or where its entries are not finite reals; `what` it must be stands in the sentence.
    """
    array = arrays.get(name)
    if array is None:
        raise UserError(f"{file}: has no array '{name}'.")
    fits = array.shape == shape if isinstance(shape, tuple) else array.ndim == shape and 0 not in array.shape
    if not fits or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UserError(f"{file}: '{name}' must be {what}; it is {array.dtype} of shape {array.shape}.")
    return np.ascontiguousarray(array, np.float32)
