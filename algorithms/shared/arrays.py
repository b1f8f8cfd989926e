"""Arrays as compiled functions take them."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def fixed(array: Any, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """A contiguous, read-only view of that type: a mapped file or a read-only array is then no case of its own, for
    which numba would compile a second version. Copies only where the type or the order is another."""
    view = np.require(array, dtype, ["C", "A"]).view(np.ndarray)
    if view is array:
        view = view[:]
    view.flags.writeable = False
    return view
