"""Takes out of an environment what only development needs: tests, headers, compilers' tools. Build-time only.

Runs by itself in the image build. What remains is checked there by importing it, and by the tests of the image.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# Folders and files by the package they belong to. A name that a release no longer has costs nothing.
LEFT_OUT = (
    "torch/test",
    "torch/include",
    "torch/share",
    "torch/bin/*test*",
    "torch/bin/protoc*",
    "torch/lib/*test*",
    "torch/lib/*.a",
    "torch/testing/_internal/opinfo",
    "torch/testing/_internal/common_methods_invocations.py",
    "functorch/docs",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/*.pyx",
    "pyarrow/*.pxi",
    "pyarrow/includes",
    "pyarrow/_flight*",
    "pyarrow/libarrow_flight*",
    "pyarrow/_s3fs*",
    "pyarrow/libarrow_s3*",
    "pyarrow/_orc*",
    "numba/cuda/tests",
    "numba/tests",
    "sympy/**/tests",
    "networkx/**/tests",
    "scipy/**/tests",
    "sklearn/**/tests",
    "sklearn/datasets/images",
    "numpy/**/tests",
    "numpy/_core/include",
    "threadpoolctl/**/tests",
)


def left_out(packages: Path) -> Iterator[Path]:
    """Everything below `site-packages` that goes."""
    for pattern in LEFT_OUT:
        yield from packages.glob(pattern)
    for suffix in ("*.pyi", "*.cmake", "*.pyx", "*.pxd"):
        yield from packages.rglob(suffix)


def strip(packages: Path) -> int:
    """Remove it; how many bytes that was."""
    freed = 0
    for path in list(left_out(packages)):
        if path.is_dir() and not path.is_symlink():
            freed += sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            freed += path.lstat().st_size
            path.unlink()
    return freed


if __name__ == "__main__":
    place = Path(sys.argv[1])  # an environment, or a folder of packages
    for site in list(place.glob("lib/python3*/site-packages")) or [place]:
        print(f"left out {strip(site) / 1e6:.0f} MB of {site}")
