"""Factorization machines, learned by lazy Adam (Rendle 2010; Kingma and Ba 2015): a batch moves what it touches.

n rows   d features   k factors
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group, total
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.factorization_machines import report
from algoport.algorithms.factorization_machines.descent import Bias, Dense, Descent, Network, Sparse
from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters
from algoport.algorithms.factorization_machines.kernels import initial, losses
from algoport.algorithms.factorization_machines.model import Model
from algoport.algorithms.factorization_machines.table import BIAS, Table
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.labels import labels_of
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.scoring import GRACE
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Position, passes, resume

Job = contract.Job[Hyperparameters, Model]

# Products of all features with all rows, instead of the entries one by one, where at least this share of them is not 0
# and there are at most so many features.
FILLED, WIDEST = 0.25, 1 << 15


@dataclass
class State:
    """What training knows; the same at every member."""

    descent: Descent
    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(losses.COUNTS))  # of this epoch so far
    last: NDArray[np.float64] = field(default_factory=lambda: np.zeros(losses.COUNTS))  # of the last that has ended
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All of it, for a checkpoint; no exchange."""
        arrays = {**self.descent.arrays(), "counts": self.counts, "last": self.last}
        return arrays, {"updates": self.descent.updates}


def fit(job: Job) -> Model:
    """Train for `epochs`, and score the model.

    Raises `UserError` where rows or labels cannot be learned from, where the model to start from does not fit, or where
    the loss is no number any more; `Stopped` where a stop comes before the first batch.
    """
    settings, over = job.hyperparameters, job.grace(GRACE)
    state = trained(job)
    job.reporter.note("Pulling entire model from kvstore to finalize")
    model = _model(settings, state.descent)
    if state.last[losses.ROWS]:
        report.training(job.reporter, settings, state.last)
    report.test(job, model, over)
    return model


def trained(job: Job) -> State:
    """What is known after all passes, or when a stop was asked for."""
    settings = job.hyperparameters
    _check_start(job.start, settings)
    descent = _first(job)
    state = resume(job, lambda arrays, facts: _restore(descent, arrays, facts)) or State(descent)
    every = settings.batch_metrics_publish_interval
    size, none = job.batch, nothing(settings.feature_dim)
    together = descent.network.together(size)
    for batches in passes(job, state, empty=none, size=size, together=together, epochs=settings.epochs):
        for rows in batches:
            for step, counts in enumerate(_steps(state, rows, size, settings), state.position.step):
                if every > 0 and step % every == 0 and counts[losses.ROWS]:
                    report.training(job.reporter, settings, counts, epoch=state.position.epoch, batch=step)
        if not descent.updates and job.start is None:
            raise Stopped
        if state.counts[losses.ROWS]:
            report.training(job.reporter, settings, state.counts, epoch=state.position.epoch)
            state.last = state.counts
        state.counts = np.zeros(losses.COUNTS)
    return state


def _first(job: Job) -> Descent:
    """The network for this kind of rows, with the bias and the features that it begins with; an exchange."""
    settings, note = job.hyperparameters, job.reporter.note
    is_dense = _is_dense(job.channels["train"], settings.feature_dim, job.batch, job.group)
    kind = "Dense" if is_dense else "Sparse"
    note("Number of GPUs being used: 0")
    note(f"[{kind} network] Building a {kind.lower()} network.")
    note("Create Store: local")
    table = Table(settings, job.seed)
    network: Network = (Dense if is_dense else Sparse)(table, job.group, settings.is_regression)
    start = job.start
    if start is not None:
        weights = start.weights if settings.use_linear else np.zeros_like(start.weights)
        table.start_from(start.features, weights, start.factors)
        bias = start.bias if settings.use_bias else 0.0
        note(f"Training starts from a model that has seen {len(start.features):,} features.")
    else:
        method, size = settings.start("bias") if settings.use_bias else ("constant", 0.0)
        bias = float(initial.one(np.uint64(seed_of(job.seed, BIAS)), initial.METHODS[method], size))
    if is_dense:
        table.add_all()
    return Descent(settings, network, Bias(bias))


def _is_dense(train: contract.Source[Rows], d: int, batch: int, group: Group) -> bool:
    """Whether the first rows of all members are filled enough for products; an exchange."""
    head = train.head(batch)
    if len(head):
        check_width(head, d, "train")
    features: Any = head.features
    entries = int(np.count_nonzero(features.data if head.is_sparse else features))
    filled, cells = total(group, entries, len(head) * d)
    return d <= WIDEST and filled >= FILLED * cells > 0


def _restore(descent: Descent, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> State:
    descent.restore(arrays, int(facts["updates"]))
    return State(descent, np.array(arrays["counts"]), np.array(arrays["last"]))


def _steps(state: State, rows: Rows, size: int, settings: Hyperparameters) -> list[NDArray[np.float64]]:
    """Some batches; what was counted of each."""
    if len(rows):
        check_width(rows, settings.feature_dim, "train")
    labels, before = labels_of(rows, "train", None if settings.is_regression else 2), state.descent.updates
    steps = state.descent.steps(rows, labels, size)
    for number, counts in enumerate(steps, before + 1):
        if not math.isfinite(counts[losses.LOSS]):
            raise _diverged(settings, number)
        state.counts += counts
    return steps


def _diverged(settings: Hyperparameters, updates: int) -> UserError:
    rates = {name: getattr(settings, name) for name in ("factors_lr", "linear_lr", "bias_lr")}
    highest = max(rates, key=lambda name: rates[name])
    others = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
    return UserError(
        f"{highest}: must be lower, as after {updates:,} batches the loss is no number any more; the learning rates "
        f"are {others}. Where values of features are large, bring them to about 1 first, or set clip_gradient."
    )


def _check_start(start: Model | None, settings: Hyperparameters) -> None:
    """`UserError` where the model to start from is another machine."""
    if start is not None:
        check_alike(
            feature_dim=(start.width, settings.feature_dim),
            num_factors=(start.factors.shape[1], settings.num_factors),
            predictor_type=(start.predictor_type, settings.predictor_type),
        )


def _model(settings: Hyperparameters, descent: Descent) -> Model:
    features, weights, factors = descent.network.table.seen()
    bias = np.float32(descent.bias.value)
    if not (np.isfinite(weights).all() and np.isfinite(factors).all() and np.isfinite(bias)):
        raise _diverged(settings, descent.updates)
    return Model(
        width=settings.feature_dim,
        predictor_type=settings.predictor_type,
        bias=float(bias),
        features=features,
        weights=np.ascontiguousarray(weights),
        factors=np.ascontiguousarray(factors),
    )
