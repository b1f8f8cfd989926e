"""Two hosts on a Docker network: they find each other by name, and what happens when one is stopped or lost."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.folder import Folder
from tests.containers.conftest import open_to_all
from tests.containers.engine import Container, Engine, docker, mounted

pytestmark = pytest.mark.docker

HOSTS = ["algo-1", "algo-2"]
LONG = {"k": 3, "feature_dim": 3, "mini_batch_size": 100, "epochs": 1_000_000}


def folders(job: Folder) -> list[Path]:
    """A folder a host, with everything the same but the word on who it is."""
    made = []
    for host in HOSTS:
        folder = job.path.parent / host
        shutil.copytree(job.path, folder)
        config = {"current_host": host, "hosts": HOSTS, "network_interface_name": "ethwe"}
        (folder / "input/config/resourceconfig.json").write_text(json.dumps(config))
        open_to_all(folder)
        made.append(folder)
    return made


@contextmanager
def hosts(engine: Engine, places: list[Path], *options: object) -> Iterator[list[Container]]:
    with engine.network() as network:
        yield [
            engine.start("train", options=(*mounted(folder), "--network", network, "--network-alias", host, *options))
            for host, folder in zip(HOSTS, places, strict=True)
        ]


def test_two_hosts_find_the_model_of_one(engine: Engine, job: Folder) -> None:
    places = folders(job)
    assert engine.run("train", options=mounted(job.path)).returncode == 0

    with hosts(engine, places, "--user", "12345", "--read-only", "--tmpfs", "/tmp") as both:
        assert [host.end() for host in both] == [0, 0], "\n".join(host.log for host in both)

    alone, shared = job.model(), job.example.Model.load(places[0] / "model")
    np.testing.assert_allclose(shared.centers, alone.centers, rtol=1e-4, atol=1e-5)
    assert not list((places[1] / "model").iterdir()), "only the first host writes the model"


def test_a_stop_of_one_host_ends_both_with_a_model(engine: Engine, job: Folder) -> None:
    job.hyperparameters(LONG)
    places = folders(job)

    with hosts(engine, places) as both:
        both[0].says("#progress_metric")
        start = time.monotonic()
        docker("stop", "-t", "60", both[1].name)
        codes = [host.end() for host in both]
        seconds = time.monotonic() - start
        logs = "\n".join(host.log for host in both)

    assert codes == [0, 0], logs
    assert seconds < 20
    assert job.example.Model.load(places[0] / "model").centers.shape == (3, 3)


def test_a_killed_host_is_named_by_the_other(engine: Engine, job: Folder) -> None:
    job.hyperparameters(LONG)
    places = folders(job)

    with hosts(engine, places, "-e", "ALGOPORT_BEAT_INTERVAL=1") as both:
        both[0].says("#progress_metric")
        docker("kill", both[1].name)
        code, log = both[0].end(), both[0].log

    assert code == 1, log
    failure = (places[0] / "output/failure").read_text()
    assert failure.startswith("InternalServerError: ") and "algo-2" in failure


def test_the_first_host_is_named_when_it_is_lost(engine: Engine, job: Folder) -> None:
    """It holds the board on which the others post; losing it must not leave them without a word."""
    job.hyperparameters(LONG)
    places = folders(job)

    with hosts(engine, places, "-e", "ALGOPORT_BEAT_INTERVAL=1") as both:
        both[0].says("#progress_metric")
        docker("kill", both[0].name)
        code, log = both[1].end(), both[1].log

    assert code == 1, log
    failure = (places[1] / "output/failure").read_text()
    assert failure.startswith("InternalServerError: ") and "algo-1" in failure
