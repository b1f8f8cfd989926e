"""The components as textbooks have them, in float64, and jobs to hold beside them."""

import numpy as np

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.pca.hyperparameters import Hyperparameters
from algoport.algorithms.pca.train import fit


def exact(rows, k, *, centered=True):
    """The k largest singular values, ascending, and their directions (d, k), by a decomposition of the rows."""
    rows = np.asarray(rows, np.float64)
    _, values, vectors = np.linalg.svd(rows - rows.mean(axis=0) * centered, full_matrices=False)
    return values[:k][::-1], vectors[:k][::-1].T


def sine(one, other):
    """Of the largest angle between two subspaces. Not from a cosine, which knows no angle below 1e-8."""
    one, other = (np.linalg.qr(np.asarray(side, np.float64))[0] for side in (one, other))
    return np.linalg.norm(other - one @ (one.T @ other), 2)


def job(rows, *, group=None, **given):
    group = group or Alone()
    test, start, seed = given.pop("test", None), given.pop("start", None), given.pop("seed", 0)
    notes, reports = given.pop("notes", []), given.pop("reports", {})
    device = given.pop("device", "cpu")
    rows = rows if isinstance(rows, Rows) else Rows(features=np.asarray(rows, np.float32))
    channels = {"train": Memory(rows, group=group)} | ({} if test is None else {"test": Memory(test, group=group)})
    return Job(
        hyperparameters=Hyperparameters.read({"feature_dim": rows.width, "mini_batch_size": 500, **given}),
        channels=channels,
        group=group,
        start=start,
        seed=seed,
        device=device,
        reporter=Reporter(note=notes.append, report=lambda values, **_: reports.update(values)),
    )


def trained(rows, **given):
    return fit(job(rows, **given))
