"""The column transformer gives the numbers of scikit-learn's, keeps every promise, and stands before another model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.job import Job
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.contract.source import Memory
from algoport.containers.cli import main
from algoport.training.formats import Layout, find

ROOT = Path(__file__).parents[2]
OWN = ROOT / "preprocessing"
NAME = "column-transformer"
WHERE = "train/adults.csv"


@pytest.fixture(autouse=True)
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGORITHM_PATH", str(OWN))
    monkeypatch.setenv("SAGEMAKER_MODEL_SERVER_WORKERS", "1")


def adults(count: int, seed: int) -> pd.DataFrame:
    """A table like that of the census: ages and hours, some unknown; trades, some unknown; a line of words."""
    random = np.random.default_rng(seed)
    hours = random.integers(1, 99, count).astype(float)
    hours[random.random(count) < 0.1] = np.nan
    trades = np.array(["Sales", "Tech-support", "Craft, repair", "", "Farming", 'the "rest"'])
    words = np.array(["works", "Nights", "a", "two", "jobs", "naïve", "日本語", "self-employed", "x1"])
    return pd.DataFrame(
        {
            "age": random.normal(40, 12, count).round(2),
            "trade": random.choice(trades, count),
            "hours": hours,
            "gain": np.where(random.random(count) < 0.9, 0, random.lognormal(8, 1, count)).round(3),
            "one": np.full(count, 7.0),
            "about": [" ".join(random.choice(words, random.integers(0, 9))) for _ in range(count)],
        }
    )


def table(frame: pd.DataFrame, tmp_path: Path) -> Table:
    path = tmp_path / "adults.csv"
    frame.to_csv(path, index=False, header=False)
    with open(path, "rb") as file:
        parts = list(find("text/csv", "table").read(file, Layout(WHERE)))
    return parts[0].followed(parts[1:])


def fitted(rows: Table, **settings: Any) -> Any:
    own = algorithms.part(NAME, "hyperparameters").Hyperparameters
    given = {"numbers": "0,2,3,4", "categories": "1", "texts": "5", "mini_batch_size": 97, **settings}
    job = Job(hyperparameters=own.read(given), channels={"train": Memory(rows)})
    return algorithms.part(NAME, "train").fit(job)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
@pytest.mark.parametrize("imputation", ["mean", "constant"])
def test_the_numbers_are_those_of_scikit_learn(tmp_path: Path, scaling: str, imputation: str) -> None:
    train, test = adults(1500, 0), adults(300, 1)
    test.loc[5, "trade"] = "Astronaut"
    scaler: dict[str, Any] = {"standard": StandardScaler(), "minmax": MinMaxScaler(), "none": "passthrough"}
    fill = SimpleImputer(strategy="constant", fill_value=-1.0) if imputation == "constant" else SimpleImputer()
    numbers = make_pipeline(fill, scaler[scaling])
    theirs = ColumnTransformer(
        [
            ("numbers", numbers, ["age", "hours", "gain", "one"]),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["trade"]),
            ("texts", HashingVectorizer(n_features=64), "about"),
        ],
        sparse_threshold=0,
    ).fit(train)

    model = fitted(table(train, tmp_path), scaling=scaling, imputation=imputation, fill_value=-1, hash_features=64)

    ours = model.predict(table(test, tmp_path))["features"]
    assert ours.dtype == np.float32 and ours.shape == (300, model.features)
    np.testing.assert_allclose(ours, theirs.transform(test), rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "model")
    again = algorithms.load_model(NAME, tmp_path / "model")
    np.testing.assert_array_equal(again.predict(table(test, tmp_path))["features"], ours)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model.json"]


def test_a_missing_category_may_stand_for_the_most_frequent_as_in_scikit_learn(tmp_path: Path) -> None:
    train = adults(400, 0)
    fill = SimpleImputer(missing_values="", strategy="most_frequent")
    theirs = make_pipeline(fill, OneHotEncoder(sparse_output=False)).fit(train[["trade"]])

    model = fitted(table(train, tmp_path), numbers="", texts="", missing_category="frequent")

    ours = model.predict(table(train, tmp_path))["features"]
    np.testing.assert_array_equal(ours, theirs.transform(train[["trade"]]))


def test_words_of_any_length_are_hashed_as_scikit_learn_does() -> None:
    hashed = algorithms.part(NAME, "columns").hashed
    texts = ["", "a b", "ab", *("x" * length for length in range(2, 40)), "Größe GRÖSSE größe", "a_1 don't 日本 日本語"]
    for width in (1, 7, 1024):
        theirs = HashingVectorizer(n_features=width).transform(texts).toarray()
        np.testing.assert_allclose(hashed(texts, width), theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "change", "sentence"),
    [
        (
            {},
            ("age", "old"),
            f"{WHERE}, line 3: column 0 must be a number that float32 can hold, or empty; it is 'old'.",
        ),
        (
            {},
            ("age", "1e39"),
            f"{WHERE}, line 3: column 0 must be a number that float32 can hold, or empty; it is '1e39'.",
        ),
        (
            {"max_categories": 3},
            None,
            "Column 1 has more than max_categories (3) categories; name it in texts, or raise",
        ),
        (
            {"categories": "1,5", "texts": ""},
            ("about", "x" * 1001),
            "Column 5 has a category of 1,001 bytes, where 1,000",
        ),
        ({"numbers": "0,9"}, None, "Channel 'train': a row has 6 columns, from 0 to 5; the settings name 9."),
        ({"numbers": "0,1"}, None, "numbers, categories, texts: column 1 is named twice."),
        (
            {"numbers": "", "categories": "", "texts": ""},
            None,
            "numbers, categories, texts: one of them must name a column.",
        ),
        ({"numbers": "-1"}, None, "numbers, categories, texts: a column has a number from 0 to 9999; it is -1."),
        ({"scaling": "z"}, None, "scaling: "),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, settings: dict, change: tuple[str, str] | None, sentence: str) -> None:
    frame = adults(10, 0).astype(object)
    if change:
        frame.loc[2, change[0]] = change[1]

    with pytest.raises(UserError) as error:
        fitted(table(frame, tmp_path), **{"max_categories": 20, **settings})

    assert str(error.value).startswith(sentence), str(error.value)


def test_a_category_that_training_has_not_seen_may_be_refused(tmp_path: Path) -> None:
    model = fitted(table(adults(50, 0), tmp_path), unknown="refused")
    frame = adults(5, 1)
    frame.loc[3, "trade"] = "Astronaut"

    with pytest.raises(UserError, match="line 4: column 1 is 'Astronaut', which training has not seen"):
        model.predict(table(frame, tmp_path))


def test_more_rows_add_to_what_a_model_has_learned(tmp_path: Path) -> None:
    first, second = adults(200, 0), adults(300, 1)
    whole = fitted(table(pd.concat([first, second]), tmp_path))
    start = fitted(table(first, tmp_path))
    own = algorithms.part(NAME, "hyperparameters").Hyperparameters
    given = {"numbers": "0,2,3,4", "categories": "1", "texts": "5", "mini_batch_size": 97}
    job = Job(hyperparameters=own.read(given), channels={"train": Memory(table(second, tmp_path))}, start=start)

    model = algorithms.part(NAME, "train").fit(job)

    rows = table(adults(40, 2), tmp_path)
    np.testing.assert_allclose(model.predict(rows)["features"], whole.predict(rows)["features"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 2},
        {"width": "6"},
        {"numbers": {}},
        {"categories": {"1": {"a": 0}}},
        {"settings": {}},
        {"algorithm": "x"},
    ],
)
def test_a_damaged_model_is_refused(tmp_path: Path, change: dict) -> None:
    fitted(table(adults(20, 0), tmp_path)).save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(UserError, match="is (not a|no) model of 'column-transformer'"):
        algorithms.part(NAME, "model").Model.load(tmp_path / "model")


def test_it_keeps_every_promise() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/conformance", "-k", NAME, "-p", "no:cacheprovider", "-rs"],
        cwd=ROOT,
        env=os.environ | {"ALGORITHM_PATH": str(OWN), "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout and "does not promise" not in done.stdout


def test_before_another_model_it_answers_and_is_transformed_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained on the table, then the model behind it on what it answers; a pipeline of both answers the table."""
    monkeypatch.chdir(tmp_path)
    frame = adults(120, 0)[["age", "trade", "hours"]]
    frame.to_csv("adults.csv", index=False, header=False)
    names = ["--hp", "numbers=0,2", "--hp", "categories=1"]
    assert main(["train", NAME, "--train", "adults.csv;text/csv", *names, "--output", "first"]) == 0
    assert main(["transform", "first", "adults.csv", "--output", "numbers"]) == 0
    width = len((tmp_path / "numbers/adults.csv.out").read_text().splitlines()[0].split(","))
    rows = ["--train", "numbers/adults.csv.out;text/csv;label_size=0"]
    more = ["--hp", "k=3", "--hp", f"feature_dim={width}", "--output", "second"]
    assert main(["train", "kmeans", *rows, *more]) == 0
    (tmp_path / "row.json").write_text(
        json.dumps({"Containers": [{"ModelDataUrl": "first"}, {"ModelDataUrl": "second"}]})
    )

    assert main(["transform", "row.json", "adults.csv", "--output", "clusters", "--join"]) == 0
    assert (
        main(["transform", "second", "numbers/adults.csv.out", "--content-type", "text/csv", "--output", "by-hand"])
        == 0
    )

    by_hand = (tmp_path / "by-hand" / "adults.csv.out.out").read_text().splitlines()
    both = (tmp_path / "clusters" / "adults.csv.out").read_text().splitlines()
    inputs = (tmp_path / "adults.csv").read_text().splitlines()
    assert both == [f"{row},{answer}" for row, answer in zip(inputs, by_hand, strict=True)]
