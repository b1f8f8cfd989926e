"""Docker tests skip, and say so, where no engine answers; `ALGOPORT_REQUIRE_DOCKER=1` forbids the skip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import making
from tests.conformance.example import Example
from tests.conformance.folder import Folder
from tests.containers.engine import Engine

ROOT = Path(__file__).parents[2]
NAME = "kmeans"


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the algorithm that most of these tests use."""
    return built(NAME)


def built(name: str) -> str:
    """The image of an algorithm, built from this checkout; quick where its layers are there already."""
    if not making.has_engine():
        reason = "no Docker Engine answers"
        if os.environ.get("ALGOPORT_REQUIRE_DOCKER") == "1":
            pytest.fail(f"{reason}, and ALGOPORT_REQUIRE_DOCKER forbids to skip")
        pytest.skip(reason)
    done = making.make(*making.image(name))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return f"algoport/{name}:cpu"


@pytest.fixture
def engine(image: str) -> Iterator[Engine]:
    engine = Engine(image)
    yield engine
    engine.clear()


@pytest.fixture
def job(tmp_path: Path) -> Folder:
    """The ml folder of a small job, 600 rows of CSV without labels, which every user may write into."""
    folder = Folder(tmp_path / "ml", Example(NAME))
    random = np.random.default_rng(0)
    rows = np.repeat([[0, 0, 0], [9, 9, 0], [0, 9, 9]], 200, axis=0) + random.normal(size=(600, 3))
    text = "".join(",".join(f"{value:.4f}" for value in row) + "\n" for row in random.permutation(rows))
    folder.put("input/data/train/part-0.csv", text.encode())
    folder.put("input/data/test/part-0.csv", text.encode())
    folder.hyperparameters({"k": 3, "feature_dim": 3, "mini_batch_size": 100, "epochs": 2})
    folder.channels({"train": "text/csv;label_size=0", "test": "text/csv;label_size=0"})
    for name in ("model", "output"):
        (folder.path / name).mkdir()
    open_to_all(folder.path)
    return folder


def open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
