"""What a job took, what it would have cost, and what it could have done with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control import report
from algoport.containers.control.prices import OURS, Instance, Prices
from algoport.containers.control.records import Attempt, Request
from algoport.containers.control.store import TRAINING, Store
from algoport.containers.jobs.description import Description

GIB = 1 << 30
TABLE = Prices(
    currency="EUR",
    spot=0.25,
    instances={
        "small": Instance(hour=3.6, cores=2, memory=4),
        "large": Instance(hour=36, cores=8, memory=64),
    },
)


def reported(store: Store, folder: Path, attempts: list[Attempt], **more: object) -> dict[str, object]:
    described = Description(folder=folder, name="a", program=("true",), checkpoints=folder / "c")
    request = Request(description=described, cores=4, **more)  # type: ignore[arg-type]
    store.submit(TRAINING, "a", request.to_json())
    for attempt in attempts:
        store.set_attempt("a", attempt)
    row = store.get(TRAINING, "a")
    assert row is not None
    store.change(
        TRAINING, row, "Completed", started=1000.0, ended=2000.0, outcome={"code": 0, "metrics": {"loss": [2, 1]}}
    )
    done = store.get(TRAINING, "a")
    assert done is not None
    return report.of(done, store, TABLE)


def attempt(number: int, seconds: float, cores: float, peak: int) -> Attempt:
    start = 1000.0 * number
    return Attempt(
        number=number, started=start, spoke=start + 2, ended=start + seconds, code=0, cpu=cores * seconds, peak=peak
    )


def test_a_job_is_billed_for_its_attempts(store: Store, tmp_path: Path) -> None:
    whole = reported(store, tmp_path, [attempt(1, 100, 1, GIB), attempt(2, 300, 1, GIB)], instance="large")

    assert (whole["TrainingTimeInSeconds"], whole["BillableTimeInSeconds"]) == (400, 400)
    assert whole["Cost"] == pytest.approx(400 * 36 / 3600)
    assert whole["FinalMetricDataList"] == [{"MetricName": "loss", "Value": 1}]
    assert whole["Attempts"][0]["seconds"] == {  # type: ignore[index]
        "downloading": 0,
        "starting": 2,
        "training": 98,
        "uploading": 0,
    }


def test_spot_saves_what_the_table_says(store: Store, tmp_path: Path) -> None:
    whole = reported(store, tmp_path, [attempt(1, 400, 1, GIB)], spot=True, instance="large")

    assert whole["BillableTimeInSeconds"] == 100 and whole["SpotSavingsPercent"] == 75
    assert (whole["Cost"], whole["SavedBySpot"]) == (pytest.approx(1), pytest.approx(3))
    assert "Managed Spot Training savings: 75.0%" in list(report.text(whole))


def test_who_asks_for_too_much_is_told(store: Store, tmp_path: Path) -> None:
    whole = reported(store, tmp_path, [attempt(1, 100, 1.1, GIB)], memory=16 * GIB)

    assert whole["Usage"] == {"cores_given": 4, "cores_used": 1.1, "memory_given": 16 * GIB, "memory_peak": GIB}
    assert whole["Advice"] == [
        "It kept 1.1 of its 4 cores busy: 1 would do.",
        "It used 1024 of its 16384 MiB: 1332 MiB would do.",
        "The smallest instance of the table for that is small, 3.6 EUR an hour.",
    ]


def test_who_asks_for_too_little_is_told(store: Store, tmp_path: Path) -> None:
    whole = reported(store, tmp_path, [attempt(1, 100, 3.9, 4 * GIB)], memory=4 * GIB)

    advice = " ".join(whole["Advice"])  # type: ignore[arg-type]
    assert "It kept all of its 4 cores busy" in advice and "which is close: give it 5325 MiB" in advice


def test_a_table_of_prices_is_checked(tmp_path: Path) -> None:
    assert Prices.read(OURS).smallest(3, 10 * GIB) == "ml.m5.xlarge"
    assert Prices.read(OURS).smallest(1000, 0) is None
    table = tmp_path / "prices.json"
    table.write_text(json.dumps({"instances": {"small": {"hour": "much", "cores": 1, "memory": 1}}}))

    with pytest.raises(UserError, match=r"prices.json: instances.small.hour: input should be a valid number"):
        Prices.read(table)
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        Prices.read(tmp_path / "none.json")
