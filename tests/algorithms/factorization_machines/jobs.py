"""Jobs of factorization machines, and what they reported."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.train import fit


@dataclass
class Run:
    """A job that has ended."""

    model: Any = None
    notes: list = field(default_factory=list)
    figures: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)  # of (name, value, epoch, batch)


def rows(features, label):
    """Rows with one label each."""
    if isinstance(features, np.ndarray):
        features = np.ascontiguousarray(features, np.float32)
    return Rows(features=features, label=np.asarray(label, np.float32).reshape(-1, 1))


def trained(channels, *, group=None, distribution="FullyReplicated", **given):
    """Train on rows by channel; `job`: more of what a job is given."""
    more = given.pop("job", {})
    run = Run()

    def report(values, *, epoch=None, batch=None, **_):
        run.figures.update(values)
        run.lines += [(name, value, epoch, batch) for name, value in values.items()]

    sources = {name: Memory(each, group=group, distribution=distribution) for name, each in channels.items()}
    given = {"predictor_type": "regressor", "feature_dim": channels["train"].width, "num_factors": 4, **given}
    run.model = fit(
        Job(
            hyperparameters=Hyperparameters.read(given),
            channels=sources,
            reporter=Reporter(note=run.notes.append, report=report),
            **({"group": group} if group is not None else {}),
            **more,
        )
    )
    return run


def one_hot(columns):
    """Rows (n, sum of the columns' sizes), a 1 for the number in each column, sparse."""
    columns = [np.unique(column, return_inverse=True)[1] for column in columns]
    firsts = np.cumsum([0, *(column.max() + 1 for column in columns)])
    n, fields = len(columns[0]), len(columns)
    keys = np.stack([column + first for column, first in zip(columns, firsts[:-1], strict=True)], axis=1)
    parts = np.ones(n * fields, np.float32), keys.ravel().astype(np.int32), np.arange(0, n * fields + 1, fields)
    return sparse.csr_array(parts, shape=(n, int(firsts[-1])))
