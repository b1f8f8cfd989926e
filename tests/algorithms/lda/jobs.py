"""Documents of known topics, and jobs on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.lda.hyperparameters import Hyperparameters
from algoport.algorithms.lda.train import fit


def bars() -> Any:
    """(10, 25) a topic for each line and each column of a grid of 5 x 5 (Griffiths and Steyvers 2004)."""
    topics = np.zeros((10, 5, 5))
    for number in range(5):
        topics[number, number] = topics[5 + number, :, number] = 0.2
    return topics.reshape(10, 25)


def documents(topics: Any, count: int, *, words: int = 100, concentration: float = 1.0, seed: int = 0) -> Any:
    """(n, v) counts of documents of an even Dirichlet prior."""
    random = np.random.default_rng(seed)
    mixtures = random.dirichlet(np.full(len(topics), concentration / len(topics)), count)
    return np.array([random.multinomial(words, mixture @ topics) for mixture in mixtures], np.float32)


def distances(topics: Any, known: Any) -> Any:
    """(k,) L1 distances of known topics to ours, each paired with one of its own."""
    gaps = np.abs(topics[:, None] - known[None]).sum(axis=2)
    return gaps[linear_sum_assignment(gaps)]


def job(rows: Any, *, group: Any = None, test: Any = None, **given: Any) -> Any:
    """The job on these rows."""
    more = {name: given.pop(name) for name in ("start", "files", "reporter", "seed") if name in given}
    sources = {"train": rows, **({} if test is None else {"test": test})}
    settings = {"feature_dim": rows.shape[1], "mini_batch_size": rows.shape[0], **given}
    channels = {name: Memory(records(each), group=group) for name, each in sources.items()}
    if group is not None:
        more["group"] = group
    return Job(hyperparameters=Hyperparameters.read(settings), channels=channels, **more)


def records(rows: Any) -> Rows:
    """Dense or sparse rows as records."""
    return Rows(features=sparse.csr_array(rows) if sparse.issparse(rows) else np.asarray(rows, np.float32))


def trained(rows: Any, **given: Any) -> Any:
    """The model of these rows."""
    return fit(job(rows, **given))
