"""A job in words: the same after a way through JSON, and every fault in it named at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Definition, Description, Limits


def whole(folder: Path) -> Description:
    """Every part of it differs from its default."""
    return Description(
        name="my-job-1",
        folder=folder,
        algorithm="kmeans",
        image="algoport/kmeans:cpu",
        command=("train", "--fast"),
        hyperparameters={"k": "3", "note": "“quoted” \\ and more"},
        channels=(
            Channel(
                name="train",
                path=folder / "rows",
                content_type="text/csv;label_size=0",
                mode="Pipe",
                distribution="ShardedByS3Key",
                wrapper="RecordIO",
                shuffle=7,
            ),
            Channel(name="test", path=folder / "rows"),
        ),
        hosts=2,
        limits=Limits(runtime=60, grace=5.5, memory=1 << 30, cpus=1.5),
        checkpoints=folder / "checkpoints",
        environment={"ALGOPORT_PROGRESS_INTERVAL": "1"},
        metrics=(Definition(name="loss", regex=r"loss=(\S+)"),),
    )


def test_json_gives_it_back(tmp_path: Path) -> None:
    description = whole(tmp_path)

    text = json.dumps(description.to_json())

    assert Description.from_json(json.loads(text)) == description


def test_what_is_not_said_has_its_default() -> None:
    description = Description.from_json({"folder": "job", "algorithm": "kmeans"})

    assert description == Description(folder=Path("job"), algorithm="kmeans", name=description.name)
    assert description.name != Description.from_json({"folder": "job", "algorithm": "kmeans"}).name


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({}, "folder: is required."),
        ({"folder": "job", "algoritm": "kmeans"}, "algoritm: is no part of the description of a job."),
        ({"folder": "job", "limits": {"ram": 1}}, "limits.ram: is no part of the description of a job."),
        ({"folder": "job", "channels": [{"name": "train"}]}, "channels.0.path: is required."),
        (
            {"folder": "job", "channels": [{"name": "train", "path": "x", "mode": "Pip"}]},
            "channels.0.mode: input should be 'File', 'FastFile' or 'Pipe'; it is 'Pip'.",
        ),
        ({"folder": "job", "hyperparameters": {"k": 3}}, "hyperparameters.k: input should be a valid string; it is 3."),
        ([], "The description of a job: input should be an object; it is []."),
    ],
)
def test_what_is_no_description_is_said_in_a_sentence(written: Any, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        Description.from_json(written)

    assert error.value.findings == [sentence]


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    description = Description(
        folder=tmp_path / "job",
        name="no good",
        algorithm="kmean",
        hosts=0,
        channels=(
            Channel(name="train", path=tmp_path / "nowhere"),
            Channel(name="train", path=tmp_path / "empty"),
            Channel(name="../up", path=tmp_path),
        ),
        limits=Limits(runtime=0, grace=-1, memory=-5, cpus=0),
        environment={"A B": "x"},
        metrics=(Definition(name="loss", regex="("), Definition(name="norm", regex="x")),
    )

    with pytest.raises(UserError) as error:
        description.check()

    findings = error.value.findings
    begins = (
        "name: must have 1 to 63 letters",
        "There is no algorithm 'kmean'.",
        "hosts: must be from 1 to 64; it is 0.",
        "Channel 'train' is given twice.",
        "environment: 'A B' is no name",
        "limits.runtime: must be a number greater than 0; it is 0.",
        "limits.memory: must be a number greater than 0",
        "limits.cpus: must be a number greater than 0",
        "limits.grace: must be at least 0 seconds; it is -1.",
        f"Channel 'train': there is nothing at {tmp_path / 'nowhere'}.",
        "Channel 'train': the folder",
        "Channel '../up': a name has",
        "Metric 'loss': '(' is no regular expression",
        "Metric 'norm': the regular expression must have a group",
    )
    assert len(findings) == len(begins), findings
    for sentence, begin in zip(findings, begins, strict=True):
        assert sentence.startswith(begin), sentence
