"""What jobs import that is not ours, and what numba sets up before its first kernel."""

import contextlib
import importlib

from numba.core.registry import cpu_target

LIBRARIES = [
    *("orjson", "pydantic", "scipy.linalg", "scipy.sparse", "scipy.special", "pyarrow.parquet"),
    *("torch", "torch._refs", "cv2", "PIL.Image", "matplotlib.figure", "matplotlib.backends.backend_agg"),
]

for name in LIBRARIES:
    with contextlib.suppress(ImportError):  # of those that single algorithms need
        importlib.import_module(name)
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
