"""Documents of known topics, and jobs on them."""

import numpy as np
from scipy import sparse

from algoport.algorithms.contract import Auxiliary, Job, Memory, Reporter
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.ntm.hyperparameters import Hyperparameters
from algoport.algorithms.ntm.train import fit


def drawn(n=600, topics=5, words=12, seed=0, length=60):
    """Documents (n, v) of topics that have words of their own, each mostly of one; and the topics (k, v)."""
    random = np.random.default_rng(seed)
    own = np.kron(np.eye(topics), random.dirichlet(np.ones(words)))
    shares = random.dirichlet(np.full(topics, 0.1), n)
    mixed = shares @ own
    counts = [random.multinomial(length, row / row.sum()) for row in mixed]
    return np.array(counts, np.float32), own, shares


def job(counts, *, others=None, files=None, **given):
    """A job on counts, dense or sparse; what it says and reports goes to `notes` and `reports`."""
    notes, reports, keep = given.pop("notes", []), given.pop("reports", []), given.pop("keep", {})
    more = {name: given.pop(name) for name in ("start", "seed", "group", "checkpoints") if name in given}
    rows = {"train": counts, **(others or {})}
    features = {
        name: Rows(features=own if sparse.issparse(own) else np.ascontiguousarray(own, np.float32))
        for name, own in rows.items()
    }
    settings = {"feature_dim": counts.shape[1], "num_topics": 5, "num_patience_epochs": 10**6, **given}
    return Job(
        hyperparameters=Hyperparameters.read(settings),
        channels={name: Memory(own, group=more.get("group")) for name, own in features.items()},
        files={"auxiliary": Auxiliary.of("auxiliary", files)} if files else {},
        reporter=Reporter(
            note=notes.append, report=lambda values, **how: reports.append((values, how)), keep=keep.__setitem__
        ),
        **more,
    )


def trained(counts, **given):
    """The model of such a job."""
    return fit(job(counts, **given))
