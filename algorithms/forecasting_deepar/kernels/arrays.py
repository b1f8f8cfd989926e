"""Arrays as kernels take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def held(array: Any, dtype: Any) -> NDArray[Any]:
    """Contiguous and read-only. An array of another kind would be compiled for anew."""
    view = np.require(array, dtype, ["C", "A"]).view()
    view.flags.writeable = False
    return view
