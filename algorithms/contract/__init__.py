"""What an algorithm is, what it is given, and what it gives back.

An algorithm is a folder with `ALGORITHM`, `hyperparameters.Hyperparameters`, `train.fit` and `model.Model`,
found by these names. There is no base class and no registry.

The names below are imported when they are first asked for: a process that only reports an error loads no NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algoport.algorithms.contract.algorithm import ANSWERS as ANSWERS
    from algoport.algorithms.contract.algorithm import CHANNEL_ROWS as CHANNEL_ROWS
    from algoport.algorithms.contract.algorithm import REQUEST_ROWS as REQUEST_ROWS
    from algoport.algorithms.contract.algorithm import Algorithm as Algorithm
    from algoport.algorithms.contract.algorithm import Answer as Answer
    from algoport.algorithms.contract.algorithm import Channel as Channel
    from algoport.algorithms.contract.algorithm import Column as Column
    from algoport.algorithms.contract.algorithm import Distribution as Distribution
    from algoport.algorithms.contract.algorithm import Field as Field
    from algoport.algorithms.contract.algorithm import Metric as Metric
    from algoport.algorithms.contract.auxiliary import Auxiliary as Auxiliary
    from algoport.algorithms.contract.checkpoints import Checkpoints as Checkpoints
    from algoport.algorithms.contract.checkpoints import NoCheckpoints as NoCheckpoints
    from algoport.algorithms.contract.job import Deadline as Deadline
    from algoport.algorithms.contract.job import Job as Job
    from algoport.algorithms.contract.kinds import Kind as Kind
    from algoport.algorithms.contract.model import Model as Model
    from algoport.algorithms.contract.reporter import Reporter as Reporter
    from algoport.algorithms.contract.source import Memory as Memory
    from algoport.algorithms.contract.source import Source as Source
    from algoport.algorithms.contract.source import records_used as records_used
    from algoport.algorithms.contract.source import share_of_batch as share_of_batch

_MODULES = {
    "ANSWERS": "algorithm",
    "CHANNEL_ROWS": "algorithm",
    "REQUEST_ROWS": "algorithm",
    "Algorithm": "algorithm",
    "Answer": "algorithm",
    "Channel": "algorithm",
    "Column": "algorithm",
    "Distribution": "algorithm",
    "Kind": "kinds",
    "Field": "algorithm",
    "Metric": "algorithm",
    "Auxiliary": "auxiliary",
    "Checkpoints": "checkpoints",
    "NoCheckpoints": "checkpoints",
    "Deadline": "job",
    "Job": "job",
    "Model": "model",
    "Reporter": "reporter",
    "Memory": "source",
    "Source": "source",
    "records_used": "source",
    "share_of_batch": "source",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
