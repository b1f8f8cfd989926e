"""The folder of a job as its hosts see it, and what is left of an earlier job in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description
from algoport.containers.jobs.folder import lay_out


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Three files in two folders."""
    folder = tmp_path / "rows"
    (folder / "b").mkdir(parents=True)
    for name in ("a.csv", "b/c.csv", "d.csv"):
        (folder / name).write_text(f"{name}\n")
    return folder


def config(base: Path, name: str) -> Any:
    return json.loads((base / "input/config" / f"{name}.json").read_text())


def files(base: Path) -> dict[str, str]:
    """What a host reads of its data, by path."""
    data = base / "input/data"
    seen = {}
    for channel in data.iterdir():
        for path in channel.rglob("*") if not channel.is_symlink() else channel.resolve().rglob("*"):
            if path.is_file():
                root = channel.resolve() if channel.is_symlink() else channel
                seen[f"{channel.name}/{path.relative_to(root)}"] = path.read_text()
    return seen


def test_a_host_gets_what_the_contract_says(rows: Path, tmp_path: Path) -> None:
    one = Channel(name="test", path=rows / "a.csv", content_type="text/csv;label_size=0", mode="FastFile")
    description = Description(
        folder=tmp_path / "job",
        algorithm="kmeans",
        hyperparameters={"k": "3"},
        channels=(Channel(name="train", path=rows), one),
        checkpoints=tmp_path / "state",
    )

    lay_out(description)

    base = tmp_path / "job"
    assert config(base, "hyperparameters") == {"k": "3"}
    shared = {"S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    assert config(base, "inputdataconfig") == {
        "train": {"TrainingInputMode": "File", "ContentType": "text/csv", **shared},
        "test": {"TrainingInputMode": "FastFile", "ContentType": "text/csv;label_size=0", **shared},
    }
    assert config(base, "resourceconfig")["hosts"] == ["algo-1"]
    assert config(base, "checkpointconfig") == {"LocalPath": str(tmp_path / "state")}
    assert set(files(base)) == {"train/a.csv", "train/b/c.csv", "train/d.csv", "test/a.csv"}
    assert (base / "model").is_dir() and (base / "output").is_dir() and (tmp_path / "state").is_dir()


def test_files_are_shared_out_among_hosts_where_that_is_asked_for(rows: Path, tmp_path: Path) -> None:
    description = Description(
        folder=tmp_path / "job",
        algorithm="kmeans",
        channels=(
            Channel(name="train", path=rows, distribution="ShardedByS3Key"),
            Channel(name="test", path=rows / "a.csv", distribution="ShardedByS3Key"),
            Channel(name="all", path=rows),
        ),
        hosts=2,
    )

    lay_out(description)

    first, second = (description.base(host) for host in description.host_names)
    every = {"all/a.csv", "all/b/c.csv", "all/d.csv"}
    assert set(files(first)) == {"train/a.csv", "train/d.csv", "test/a.csv"} | every
    assert set(files(second)) == {"train/b/c.csv"} | every
    assert (second / "input/data/test").is_dir(), "a host without data sees an empty channel"
    assert [config(base, "resourceconfig")["current_host"] for base in (first, second)] == ["algo-1", "algo-2"]


def test_without_links_there_are_places_to_mount_over(rows: Path, tmp_path: Path) -> None:
    description = Description(
        folder=tmp_path / "job",
        image="some/image",
        channels=(Channel(name="train", path=rows), Channel(name="test", path=rows / "a.csv")),
        checkpoints=tmp_path / "state",
    )

    lay_out(description, linked=False)

    data = tmp_path / "job/input/data"
    assert list((data / "train").iterdir()) == []
    assert (data / "test/a.csv").read_text() == ""
    assert config(tmp_path / "job", "checkpointconfig") == {"LocalPath": "/opt/ml/checkpoints"}
    assert not (tmp_path / "job/input/config/algorithm.json").exists()


def test_what_an_earlier_job_left_is_put_aside(rows: Path, tmp_path: Path) -> None:
    before = Description(
        folder=tmp_path / "job", algorithm="kmeans", channels=(Channel(name="old", path=rows),), hosts=2
    )
    lay_out(before)
    base = tmp_path / "job"
    (base / "model/model.json").write_text("{}")
    (base / "output/failure").write_text("ClientError: it was")
    (base / "run/end.json").write_text("{}")

    lay_out(Description(folder=base, algorithm="kmeans", channels=(Channel(name="train", path=rows),)))

    assert list((base / "model").iterdir()) == []
    assert (base / "model.before/model.json").exists()
    assert not (base / "output/failure").exists() and not (base / "hosts").exists()
    assert list((base / "run").iterdir()) == []
    assert [path.name for path in (base / "input/data").iterdir()] == ["train"]
    assert (rows / "a.csv").exists(), "links are removed, and not what they point to"


def test_a_folder_of_something_else_is_left_alone(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is neither empty nor the folder of a job"):
        lay_out(Description(folder=rows, algorithm="kmeans"))
    with pytest.raises(UserError, match="must be a folder, and is a file"):
        lay_out(Description(folder=rows / "a.csv", algorithm="kmeans"))

    assert sorted(path.name for path in rows.iterdir()) == ["a.csv", "b", "d.csv"]
