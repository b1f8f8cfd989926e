"""Jobs of the linear learner, and what they reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.train import fit


@dataclass
class Run:
    """A job that has ended."""

    model: Any
    notes: list[str]
    figures: dict[str, float]
    epochs: list[tuple[int, dict[str, float]]]
    tables: list[tuple[dict[str, float], dict[str, int]]] = field(default_factory=list)


def labeled(features, label, weight=None):
    """Rows with one label each."""
    if isinstance(features, np.ndarray):
        features = np.ascontiguousarray(features, np.float32)
    label = np.asarray(label, np.float32).reshape(-1, 1)
    return Rows(features=features, label=label, weight=None if weight is None else np.asarray(weight, np.float32))


def trained(channels, *, group=None, distribution="FullyReplicated", start=None, seed=0, job=None, **given):
    """Train on rows by channel; `job`: more of what a job is given."""
    run = Run(None, [], {}, [])

    def report(values, *, epoch=None, **_):
        run.figures.update(values)
        if epoch is not None:
            run.epochs.append((epoch, dict(values)))

    sources = {name: Memory(rows, group=group, distribution=distribution) for name, rows in channels.items()}
    more = {"group": group} if group is not None else {}
    run.model = fit(
        Job(
            hyperparameters=Hyperparameters.read(given),
            channels=sources,
            start=start,
            seed=seed,
            reporter=Reporter(
                note=run.notes.append,
                report=report,
                figures=lambda values, **of: run.tables.append((dict(values), of)),
            ),
            **more,
            **(job or {}),
        )
    )
    return run


def split(rows, label, seed=0):
    """Three fifths to train on, a fifth to choose by, a fifth to be judged on."""
    order = np.random.default_rng(seed).permutation(len(rows))
    edges = [len(rows) * 3 // 5, len(rows) * 4 // 5]
    names = ("train", "validation", "test")
    return {name: labeled(rows[part], label[part]) for name, part in zip(names, np.split(order, edges), strict=True)}


BINARY = {"predictor_type": "binary_classifier", "epochs": 3, "mini_batch_size": 50, "num_models": 4}
REGRESSION = {**BINARY, "predictor_type": "regressor"}
MULTICLASS = {**BINARY, "predictor_type": "multiclass_classifier", "num_classes": 4}
