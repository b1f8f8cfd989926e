"""`algoport tune` as its user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli import main
from algoport.containers.control import process
from algoport.containers.control.home import Home
from algoport.containers.control.store import TUNING, Store
from algoport.containers.tuning import service
from tests import worked


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("optuna")

    said = worked.run("tuning.md", tmp_path)

    assert "tumors: Completed, MaxNumberOfTrainingJobs" in said and "12 Completed" in said
    assert "own: Completed" in said and "grid: Completed" in said
    report = json.loads((tmp_path / "tumors/report.json").read_text())
    best = report["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert best < 0.2 and len((tmp_path / "answers.csv").read_text().split()) == 169
    assert json.loads((tmp_path / "out/grid/report.json").read_text())["ObjectiveStatusCounters"]["Succeeded"] == 2


CALL: dict[str, Any] = {
    "HyperParameterTuningJobName": "t",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Hyperband",
        "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 18}},
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 7, "MaxParallelTrainingJobs": 2, "MaxRuntimeInSeconds": 7200},
        "ParameterRanges": {
            "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "8"}],
            "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "0.9"}],
        },
        "RandomSeed": 7,
    },
    "TrainingJobDefinition": {
        "StaticHyperParameters": {"booster": "gbtree"},
        "AlgorithmSpecification": {"TrainingImage": "1.example/xgboost:1", "TrainingInputMode": "File"},
        "RoleArn": "role",
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/train"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4000},
        "EnableManagedSpotTraining": True,
        "RetryStrategy": {"MaximumRetryAttempts": 1},
    },
}


def read(call: dict[str, Any], home: Home, **more: Any) -> Any:
    return service.read(call, home, **{"output": None, "docker": False, "cores": 1.0, "memory": None, **more})


def test_a_request_of_the_service_is_read(home: Home) -> None:
    tuning = read(CALL, home)

    job = tuning.job
    assert (job.description.algorithm, job.description.image, job.spot, job.wait, job.retries) == (
        "xgboost",
        None,
        True,
        4000,
        1,
    )
    assert (tuning.resource.low, tuning.resource.high, tuning.resource.name) == (2, 18, "num_round")
    assert job.description.channels[0].path == home.buckets / "b/train"
    assert job.description.folder == home.buckets / "b/out/t"
    assert [(one.name, one.kind, one.low, one.high) for one in tuning.ranges] == [
        ("max_depth", "Integer", 2, 8),
        ("eta", "Continuous", 0.1, 0.9),
    ]
    assert read(CALL, home, docker=True).job.description.image == "algoport/xgboost:cpu"


def test_what_is_not_of_the_request_is_named(home: Home) -> None:
    wrong = {**CALL, "HyperParameterTuningJobConfig": {"Strategie": 1}}

    with pytest.raises(UserError) as caught:
        read(wrong, home)

    assert caught.value.findings == [
        "HyperParameterTuningJobConfig.ResourceLimits: is required.",
        "HyperParameterTuningJobConfig.Strategie: is not supported.",
    ]


RIGHT = {
    "--output": "out",
    "--train": "rows.csv",
    "--validation": "rows.csv",
    "--hp": "num_round=5",
    "--tune": "eta=0.1..0.5",
    "--objective": "validation:rmse",
}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"--objective": "validation:rmsd"}, "objective: the algorithm reports no metric 'validation:rmsd'. Did you"),
        ({"--tune": "etta=0.1..0.5"}, "etta: the algorithm has no such hyperparameter. Did you mean eta?"),
        ({"--tune": "eta=0.1..5"}, "eta: must be a number from 0 to 1; it is 5.0."),
        ({"--tune": "eta=0..0.5:log"}, "eta: on a logarithmic scale the ends must be greater than 0"),
        ({"--tune": "max_depth=1.5..3"}, "max_depth: the ends must be whole numbers; they are 1.5 and 3."),
        ({"--hp": "eta=0.3"}, "eta: is searched, and set to '0.3'; it can be one of both."),
        ({"--validation": None}, "objective: 'validation:rmse' needs the channel 'validation', which is not given."),
        ({"--strategy": "Best"}, "--strategy: must be one of Bayesian, Random, Grid, Hyperband; it is 'Best'."),
        ({"--output": "."}, ""),
        ({"--goal": "Maximize"}, "objective: 'validation:rmse' is one to minimize; the request says Maximize."),
        ({"--script": "rows.csv"}, "Which jobs? Give one of an algorithm's name, --image, --script"),
        ({"--resume": "nobody"}, "There is no tuning job 'nobody'."),
        ({"--request": "none.json"}, "none.json: cannot be read: No such file or directory."),
        ({"--parent": "nobody"}, "warm start: there is no tuning job 'nobody'."),
        ({"--cores": "999"}, "cores: must be at most "),
        ({"--output": None, "--tune": None}, "--output and --tune: must be given."),
    ],
)
def test_a_mistake_is_one_sentence(
    more: dict[str, str | None],
    sentence: str,
    store: Store,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "ensure", lambda home: None)
    (tmp_path / "rows.csv").write_text("1,2,3\n")
    words = [word for name, value in {**RIGHT, **more}.items() if value is not None for word in (name, value)]

    assert main(["tune", "xgboost", *words]) == 2

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and (said[0].startswith(sentence) or "must be a new folder" in said[0]), said
    assert not (tmp_path / "out").exists() and not store.all(TUNING)
