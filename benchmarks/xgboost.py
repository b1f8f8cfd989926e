"""Boosted trees beside the xgboost and lightgbm libraries: whole trainings, binning and scoring included."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any

from algoport.algorithms.shared import compiled, machine
from benchmarks import data
from benchmarks.measure import US, Case, Row, main, race

SEEDS = range(5)
CLASSES = 10
LIKE = 1.003  # how many times the better peer's loss ours may be


@dataclass(frozen=True)
class Task:
    """Rows to learn from and rows to judge by, and what is asked of all competitors."""

    load: Callable[[int], Any]  # of a seed: (rows, labels, other rows, their labels)
    objective: str
    rounds: int = 100
    settings: dict[str, Any] = field(default_factory=dict)  # by the names of the xgboost library
    seeds: int = len(SEEDS)
    watched: bool = False  # the other rows are scored after every round

    @property
    def metric(self) -> str:
        """The loss that is compared."""
        return {"binary:logistic": "logloss", "multi:softprob": "mlogloss"}.get(self.objective, "rmse")


def collisions(seed: int, n: int = 900_000, missing: float = 0.0) -> Any:
    """28 measures of which a few matter, alone and by two: like the Higgs data in size and in how hard they are."""
    import numpy as np

    d, others, random = 28, 100_000, np.random.default_rng(0)
    weight = random.normal(size=d) * (random.random(d) < 0.6) * 0.3
    random = np.random.default_rng(seed)
    rows = random.standard_normal((n + others, d), dtype=np.float32)
    score = rows @ weight.astype(np.float32) + 0.7 * rows[:, 0] * rows[:, 1] + 0.5 * np.abs(rows[:, 2])
    score += -0.5 * rows[:, 3] ** 2 * (rows[:, 4] > 0) + np.sin(2 * rows[:, 5]) * rows[:, 6]
    label = (random.random(len(rows)) < 1 / (1 + np.exp(score.mean() - score))).astype(np.float32)
    if missing:
        rows[random.random(rows.shape, np.float32) < missing] = np.nan
    return rows[:n], label[:n], rows[n:], label[n:]


def many_features(seed: int, n: int = 100_000, d: int = 500) -> Any:
    """500 measures of which 50 matter."""
    import numpy as np

    random = np.random.default_rng(seed)
    rows = random.standard_normal((n + 20_000, d), dtype=np.float32)
    score = rows[:, :50] @ np.random.default_rng(0).normal(size=50).astype(np.float32) / 4 + rows[:, 0] * rows[:, 50]
    label = (random.random(len(rows)) < 1 / (1 + np.exp(-score))).astype(np.float32)
    return rows[:n], label[:n], rows[n:], label[n:]


def words(seed: int, n: int = 200_000, d: int = 10_000) -> Any:
    """Counts of some 50 of 10,000 words, few of them frequent, as texts have them."""
    import numpy as np
    from scipy import sparse

    random = np.random.default_rng(seed)
    every, each = n + 20_000, 50
    column = np.minimum((d ** random.random((every, each))).astype(np.int32) - 1, d - 1)
    ends = np.arange(every + 1, dtype=np.int32) * each
    rows = sparse.csr_array((np.ones(column.size, np.float32), column.ravel(), ends), shape=(every, d))
    rows.sum_duplicates()
    weight = np.random.default_rng(0).normal(size=d).astype(np.float32)
    score = rows @ weight / 4
    label = (random.random(every) < 1 / (1 + np.exp(score.mean() - score))).astype(np.float32)
    return rows[:n], label[:n], rows[n:], label[n:]


def jewels(seed: int) -> Any:
    """The diamonds, and the logarithm of their price."""
    import numpy as np

    rows, price = data.diamonds()
    return _split(rows, np.log(price), 50_000, seed)


def clothes(seed: int) -> Any:
    """Fashion-MNIST in its own two parts."""
    (rows, label), (others, theirs) = data.fashion("train"), data.fashion("t10k")
    return rows, label.astype("float32"), others, theirs.astype("float32")


def shuttle(seed: int) -> Any:
    """The readings of a space shuttle."""
    rows, label = data.shuttle()
    return _split(rows, label.astype("float32"), 40_000, seed)


def _split(rows: Any, label: Any, n: int, seed: int) -> Any:
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(rows))
    a, b = order[:n], order[n:]
    return rows[a], label[a], rows[b], label[b]


def train_booster(task: Task, given: Any, seed: int) -> Any:
    """Train as a job does, without files; returns a function that answers the other rows."""
    from algoport.algorithms.contract import Job, Memory
    from algoport.algorithms.contract.records import Rows
    from algoport.algorithms.xgboost.hyperparameters import Hyperparameters
    from algoport.algorithms.xgboost.train import fit

    rows, label, others, theirs = given
    asked: dict[str, object] = {"objective": task.objective, "num_round": task.rounds, "tree_method": "hist"}
    asked |= task.settings | {"seed": seed}
    if task.objective == "multi:softprob":
        asked["num_class"] = CLASSES
    channels: dict[str, Any] = {"train": Memory(Rows(features=rows, label=label[:, None]))}
    if task.watched:
        channels["validation"] = Memory(Rows(features=others, label=theirs[:, None]))
    job: Any = Job(hyperparameters=Hyperparameters.read(asked), channels=channels, seed=seed)
    model = fit(job)
    return lambda: model.predict(Rows(features=others))["score"]


def by_xgboost(task: Task, given: Any, seed: int) -> Any:
    import xgboost

    rows, label, others, theirs = given
    asked = {"objective": task.objective, "tree_method": "hist", "nthread": machine.cores(), "seed": seed}
    asked |= task.settings | ({"num_class": CLASSES} if task.objective == "multi:softprob" else {})
    # The way that takes the least time: binned at once where rows are dense.
    sparse = hasattr(rows, "tocsr")
    matrix = xgboost.DMatrix(rows, label) if sparse else xgboost.QuantileDMatrix(rows, label)
    watched = [(matrix, "train")]
    if task.watched:
        watched.append((xgboost.DMatrix(others, theirs), "validation"))
    booster = xgboost.train(asked, matrix, task.rounds, evals=watched, verbose_eval=False)
    return lambda: booster.predict(xgboost.DMatrix(others))


def by_lightgbm(task: Task, given: Any, seed: int) -> Any:
    import lightgbm

    rows, label, others, theirs = given
    names = {"binary:logistic": "binary", "multi:softprob": "multiclass", "reg:squarederror": "regression"}
    depth = int(task.settings.get("max_depth", 6))
    asked = {
        "objective": names[task.objective], "learning_rate": task.settings.get("eta", 0.3), "max_depth": depth,
        "num_leaves": 2**depth, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 1, "lambda_l2": 1, "max_bin": 255,
        "bagging_fraction": task.settings.get("subsample", 1), "bagging_freq": int("subsample" in task.settings),
        "feature_fraction": task.settings.get("colsample_bytree", 1), "num_threads": machine.cores(), "seed": seed,
        "verbose": -1, "metric": {"logloss": "binary_logloss", "mlogloss": "multi_logloss"}.get(task.metric, "rmse"),
    }  # fmt: skip
    asked |= {"num_class": CLASSES} if task.objective == "multi:softprob" else {}
    made = lightgbm.Dataset(rows, label, params=asked)
    watched = [made] + ([lightgbm.Dataset(others, theirs, reference=made)] if task.watched else [])
    booster = lightgbm.train(asked, made, task.rounds, valid_sets=watched)
    return lambda: booster.predict(others)


def loss(task: Task, label: Any, answers: Any) -> float:
    """By the same function for all."""
    import numpy as np

    answers = np.asarray(answers, np.float64)
    if task.metric == "rmse":
        return float(np.sqrt(np.mean((answers.ravel() - label) ** 2)))
    if task.metric == "logloss":
        right = np.where(label > 0, answers.ravel(), 1 - answers.ravel())
    else:
        right = answers.reshape(len(label), -1)[np.arange(len(label)), label.astype(int)]
    return float(-np.log(np.clip(right, 1e-15, 1)).mean())


def training_race(name: str, goal: float | None) -> list[Row]:
    """Equal data, settings and threads; a seed a lap, and the loss is the mean over these."""
    import numpy as np

    task = TASKS[name]
    given = [task.load(seed) for seed in range(task.seeds)]
    losses: dict[str, list[float]] = {}

    def laps_of(who: str, train: Callable[[Task, Any, int], Any]) -> Callable[[], Any]:
        seeds: Iterator[int] = cycle([0, *range(task.seeds)])

        def lap() -> Any:
            seed = next(seeds)
            made.setdefault(who, []).append((seed, train(task, given[seed], seed)))

        return lap

    made: dict[str, list[tuple[int, Any]]] = {}
    competitors = {US: train_booster, "xgboost": by_xgboost, "lightgbm": by_lightgbm}
    laps = race({who: laps_of(who, train) for who, train in competitors.items()}, laps=task.seeds)
    for who, trainings in made.items():
        losses[who] = [loss(task, given[seed][3], answer()) for seed, answer in trainings[1:]]
    quality = {who: float(np.mean(each)) for who, each in losses.items()}
    note = f"Losses of the seeds {min(losses[US]):.5g} to {max(losses[US]):.5g}."
    return [
        Row(
            case=name, peer=peer, ours=laps[US], peers=laps[peer], goal=goal, metric=f"{task.metric}, other rows",
            better="lower", quality=quality[US], peer_quality=quality[peer], quality_goal=LIKE if goal else None,
            note=note,
        )
        for peer in ("xgboost", "lightgbm")
    ]  # fmt: skip


SLOW = {"eta": 0.1}
EVERYTHING = {"eta": 0.1, "subsample": 0.8, "colsample_bytree": 0.8}
TASKS = {
    "900,000 rows of 28": Task(collisions, "binary:logistic", settings=SLOW),
    "900,000 rows of 28, missing values, sampling, validation": Task(
        partial(collisions, missing=0.1), "binary:logistic", settings=EVERYTHING, watched=True
    ),
    "diamonds, 50,000 rows of 23": Task(jewels, "reg:squarederror", settings=SLOW, watched=True),
    "Fashion-MNIST, 60,000 rows of 784, 10 classes": Task(clothes, "multi:softprob", rounds=10, seeds=1),
    "shuttle, 40,000 rows of 9": Task(shuttle, "binary:logistic", settings=SLOW, watched=True),
    "100,000 rows of 500": Task(many_features, "binary:logistic", settings=SLOW, seeds=3),
    "200,000 sparse rows of 10,000": Task(words, "binary:logistic", settings=SLOW, seeds=3),
}
GOALS = dict(zip(TASKS, (2.5, 2.5, 2.0, 2.0, None, 1.5, 1.0), strict=True))
CASES = [
    Case(f"training, {name}", partial(training_race, name, goal), promised=goal is not None)
    for name, goal in GOALS.items()
]

if __name__ == "__main__":
    compiled.prepare()
    os.environ.setdefault("OMP_NUM_THREADS", str(machine.cores()))
    sys.exit(main("xgboost", CASES))
