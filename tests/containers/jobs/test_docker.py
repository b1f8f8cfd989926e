"""Jobs in containers: what the engine is asked for, and that such a job can be stopped and found again."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs import docker, running
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description, Limits
from algoport.containers.jobs.processes import Label
from tests.conformance.example import Example
from tests.containers.conftest import NAME
from tests.containers.jobs.conftest import PATIENCE, until
from tests.containers.test_hosts import LONG


@pytest.fixture
def description(tmp_path: Path) -> Description:
    random = np.random.default_rng(0)
    rows = tmp_path / "rows, and more"
    rows.mkdir()
    for number in range(3):
        np.save(rows / f"part:{number}.npy", random.normal(size=(100, 3)).astype(np.float32))
    channel = Channel(name="train", path=rows, content_type="application/x-npy;label_size=0")
    settings = {name: str(value) for name, value in LONG.items()}
    return Description(
        folder=tmp_path / "job",
        algorithm=NAME,
        image=f"algoport/{NAME}:cpu",
        hyperparameters=settings,
        channels=(channel,),
    )


@pytest.mark.parametrize("source", ["/plain", "/with, a comma", '/with "quotes"', "/with: a colon"])
def test_a_place_of_any_name_is_shown_to_a_container(source: str) -> None:
    option, value = docker.bind(Path(source), "/opt/ml", "readonly")

    assert option == "--mount"
    assert next(csv.reader([value])) == ["type=bind", f"source={source}", "target=/opt/ml", "readonly"]


def test_a_container_gets_labels_limits_and_its_part_of_the_data(description: Description) -> None:
    shared = dataclasses.replace(
        description,
        hosts=2,
        limits=Limits(memory=1 << 30, cpus=1.5),
        environment={"A": "b c"},
        channels=(dataclasses.replace(description.channels[0], distribution="ShardedByS3Key"),),
    )

    words = docker.Containers(shared)._command(1, "algo-2", "some/image")

    assert words[-2:] == ["some/image", "train"]
    for option, value in (
        ("--name", f"{shared.name}-algo-2"),
        ("--label", f"algoport.job={shared.name}"),
        ("--label", "algoport.host=algo-2"),
        ("--label", f"algoport.folder={shared.folder}"),
        ("--env", "A=b c"),
        ("--memory", str(1 << 30)),
        ("--cpus", "1.5"),
        ("--network", shared.name),
        ("--network-alias", "algo-2"),
    ):
        assert (option, value) in itertools.pairwise(words)
    mounts = [next(csv.reader([value])) for option, value in itertools.pairwise(words) if option == "--mount"]
    assert [fields[1:3] for fields in mounts] == [
        [f"source={shared.folder / 'hosts/algo-2'}", "target=/opt/ml"],
        [
            f"source={shared.channels[0].path / 'part:1.npy'}",
            "target=/opt/ml/input/data/train/part:1.npy",
        ],
    ]


def test_without_docker_there_is_one_sentence(description: Description, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(UserError, match="needs Docker, and there is no program 'docker'"):
        running.start(description)


@pytest.mark.docker
def test_a_job_in_a_container_is_found_again_and_stopped(description: Description, image: str) -> None:
    running.start(description)

    job = running.adopt(description.folder)
    until(job, "#progress_metric")
    assert Label(description.name, "algo-1", description.folder) in list(docker.labeled_containers())
    job.stop()

    assert job.wait(PATIENCE) == "Stopped" and job.exit_code == 0
    assert Example(NAME).Model.load(description.folder / "model").centers.shape == (3, 3)
    assert not [label for label in docker.labeled_containers() if label.job == description.name], "no container is left"


@pytest.mark.docker
@pytest.mark.parametrize("mode", ["File", "Pipe"])
def test_two_containers_share_the_files(description: Description, image: str, mode: str) -> None:
    channel = dataclasses.replace(description.channels[0], distribution="ShardedByS3Key", mode=mode)
    settings = {**description.hyperparameters, "epochs": "2"}
    job = running.start(dataclasses.replace(description, hosts=2, channels=(channel,), hyperparameters=settings))

    assert job.wait(PATIENCE) == "Completed", "\n".join(job.lines())

    assert Example(NAME).Model.load(description.folder / "model").centers.shape == (3, 3)
    assert not list((description.folder / "hosts/algo-2/model").iterdir())


@pytest.mark.docker
def test_a_failed_job_in_a_container_says_why(description: Description, image: str) -> None:
    job = running.start(dataclasses.replace(description, hyperparameters={"k": "no"}))

    assert job.wait(PATIENCE) == "Failed"

    assert job.exit_code == 2 and (job.failure or "").startswith("ClientError: k: must be")
