"""The image of an algorithm: it has its kernels, trains, serves, and works on several hosts.

A few images here, of every kind one; those of all algorithms with `make test-images`, as they take minutes each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from algoport import algorithms
from algoport.training import formats
from tests import making
from tests.conformance.example import CLOSE, Example, same
from tests.conformance.folder import Folder, ml_folder
from tests.containers.conftest import ROOT, built, open_to_all
from tests.containers.engine import Engine, mounted
from tests.containers.test_hosts import folders, hosts
from tests.containers.test_image import LOCKED

pytestmark = pytest.mark.docker

SOME = 5  # records of a request


# Streams, trees whose own libraries read the model, pictures with packages of their own.
FEW = ("kmeans", "xgboost", "image-classification")

CHOSEN = FEW if os.environ.get("ALGOPORT_IMAGES") != "all" else algorithms.names()
EVERY = [pytest.param(name, marks=pytest.mark.makes(*making.image(name))) for name in CHOSEN]


@pytest.fixture(params=EVERY, scope="module")
def example(request: Any) -> Example:
    return Example(request.param)


@pytest.fixture
def engine(example: Example) -> Iterator[Engine]:
    engine = Engine(built(example.name))
    yield engine
    engine.clear()


def job_of(path: Path, example: Example) -> Folder:
    """The smallest job, in a folder that every user may write into."""
    folder = ml_folder(path, example)
    for name in ("model", "output"):
        (folder.path / name).mkdir()
    open_to_all(folder.path)
    return folder


def test_it_trains_and_serves_locked_up_and_compiles_nothing(engine: Engine, example: Example, tmp_path: Path) -> None:
    job = job_of(tmp_path / "ml", example)
    options = (*mounted(job.path), *LOCKED)

    done = engine.run("train", options=(*options, "-e", "NUMBA_DEBUG_CACHE=1"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[cache] data saved to" not in done.stdout
    if any((ROOT / "algorithms" / example.name.replace("-", "_")).glob("kernels*")):
        assert "[cache] data loaded from" in done.stdout
    answer_ = example.algorithm.answer
    media = answer_.default_accept or answer_.accepts[0]
    rows = example.requests()[: 1 if example.one_a_request else SOME]
    want = example.answers(job.model(), rows, formats.ContentType.parse(media).media)
    server = engine.start("serve", options=options)
    server.healthy()
    answer = server.ask("/invocations", example.body(media, rows), media, accept="application/json")
    assert answer.status == 200, answer.body
    entries = example.entries(answer.json)
    same(want, {name: [entry[name] for entry in entries] for name in want}, **CLOSE)


def test_two_hosts_leave_one_and_the_same_model(engine: Engine, example: Example, tmp_path: Path) -> None:
    """On replicated data, which is what one host has; the second host writes none."""
    if not example.algorithm.hosts:
        pytest.skip("it runs on one host")
    alone = job_of(tmp_path / "alone", example)
    places = folders(alone)
    alone.hyperparameters(example.as_of(2))
    assert engine.run("train", options=mounted(alone.path)).returncode == 0

    with hosts(engine, places) as both:
        assert [host.end() for host in both] == [0, 0], "\n".join(host.log for host in both)

    shared = example.Model.load(places[0] / "model")
    same(example.answers(alone.model()), example.answers(shared), **CLOSE)
    assert not list((places[1] / "model").iterdir()), "only the first host writes the model"
