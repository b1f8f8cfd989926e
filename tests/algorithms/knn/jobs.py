"""Jobs of k-NN in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.knn.hyperparameters import Hyperparameters
from algoport.algorithms.knn.model import Model
from algoport.algorithms.knn.train import fit


def labeled(rows: Any, label: Any) -> Rows:
    """Rows with a label each."""
    return Rows(features=np.ascontiguousarray(rows, np.float32), label=np.asarray(label, np.float32)[:, None])


def job(
    train: Rows, test: Rows | None = None, *, notes: Any = None, metrics: Any = None, start: Any = None, **settings: Any
) -> Job[Any, Any]:
    """The job of these rows; `notes` takes its sentences, `metrics` its figures."""
    given = {"feature_dim": train.width, "k": 5, "predictor_type": "classifier", "sample_size": len(train), **settings}
    channels = {"train": Memory(train)} | ({} if test is None else {"test": Memory(test)})
    reporter = Reporter(
        note=(lambda text: None) if notes is None else notes.append,
        report=(lambda values, **_: None) if metrics is None else lambda values, **_: metrics.update(values),
    )
    return Job(hyperparameters=Hyperparameters.read(given), channels=channels, reporter=reporter, start=start)


def trained(train: Rows, test: Rows | None = None, **more: Any) -> Model:
    """Its model."""
    return fit(job(train, test, **more))
