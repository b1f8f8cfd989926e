"""Bring your own: what `algoport new` makes is an algorithm, as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algoport.containers.cli.make import copy_template
from tests.containers.conftest import ROOT, open_to_all
from tests.containers.engine import Engine, docker, mounted

NAME = "my-algorithm"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of algorithms, with the template in it under a name of its own."""
    copy_template(tmp_path / "own" / "my_algorithm", NAME)
    return tmp_path / "own"


def python(own: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"ALGORITHM_PATH": str(own), "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )


def test_no_word_of_the_template_is_left(own: Path) -> None:
    left = [path.name for path in own.rglob("*") if path.is_file() and "TEMPLATE" in path.read_text()]
    assert left == []


def test_it_keeps_every_promise(own: Path) -> None:
    done = python(own, "-m", "pytest", "tests/conformance", "-k", NAME, "-p", "no:cacheprovider", "-rs")

    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout and "does not promise" not in done.stdout


def test_its_kernels_are_tested_in_its_folder(own: Path) -> None:
    done = python(own, "-m", "pytest", own / "my_algorithm", "-p", "no:cacheprovider")

    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


def test_it_finds_mean_and_variance(own: Path, tmp_path: Path) -> None:
    """Against NumPy, on numbers whose squares would cancel."""
    rows = np.random.default_rng(0).normal(1e4, [1, 2], (5000, 2)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    train = f"{tmp_path}/rows.npy;application/x-npy;label_size=0"
    words = ("--train", train, "--hp", "feature_dim=2", "--hp", "mini_batch_size=300", "--output", tmp_path / "job")

    done = python(
        own,
        "-m",
        "algoport.containers.cli",
        "train",
        NAME,
        "--train",
        f"{tmp_path}/rows.npy;application/x-npy;label_size=0",
        *words,
    )
    asked = python(own, "-m", "algoport.containers.cli", "predict", tmp_path / "job", tmp_path / "rows.npy")

    assert done.returncode == 0, done.stdout + done.stderr
    wide = rows.astype(np.float64)
    want = np.sqrt((((wide - wide.mean(0)) / wide.std(0)) ** 2).mean(1))
    distances = [entry["distance"] for entry in json.loads(asked.stdout)["predictions"]]
    np.testing.assert_allclose(distances, want, rtol=1e-4)


@pytest.fixture
def its_image(own: Path, image: str) -> Iterator[str]:
    """Built on what the other images share, which the fixture before has made."""
    name = "algoport/test-own:cpu"
    docker("build", "-t", name, own / "my_algorithm")
    yield name
    docker("image", "rm", "-f", name)


@pytest.mark.docker
def test_its_image_trains_and_serves(its_image: str, tmp_path: Path) -> None:
    engine, folder = Engine(its_image), tmp_path / "ml"
    for name in ("input/config", "input/data/train", "model", "output"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "input/data/train/rows.npy", np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32))
    channels = {"train": {"ContentType": "application/x-npy;label_size=0"}}
    config = {"hyperparameters": {"feature_dim": "3"}, "inputdataconfig": channels}
    for name, value in config.items():
        (folder / f"input/config/{name}.json").write_text(json.dumps(value))
    open_to_all(folder)
    options = (*mounted(folder), "--user", "12345", "--read-only", "--tmpfs", "/tmp", "--network", "none")
    try:
        done = engine.run("train", options=(*options, "-e", "NUMBA_DEBUG_CACHE=1"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "[cache] data saved to" not in done.stdout and "[cache] data loaded from" in done.stdout

        server = engine.start("serve", options=options)
        server.healthy()
        answer = server.ask("/invocations", "0,0,0\n9,9,9\n")
        near, far = (entry["distance"] for entry in answer.json["predictions"])
        assert near < 0.3 and far > 8
    finally:
        engine.clear()
