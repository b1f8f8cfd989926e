"""From who was seen where to vectors of entities and an encoder of addresses, told from negatives that are made up.

n rows of a batch   v rows of the table of entities   d numbers of a vector

To read one job: here (`fit`), `descent.py` (`step`), `kernels/pairs.py` (`gradients`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.ipinsights import entities, evaluation
from algoport.algorithms.ipinsights.descent import NETWORK, ORDER, Batch, Descent
from algoport.algorithms.ipinsights.hyperparameters import Hyperparameters
from algoport.algorithms.ipinsights.model import Model, addresses_of
from algoport.algorithms.ipinsights.network import Network, Shape
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.scoring import GRACE
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Arrays, Facts, Position, passes, resume

Job = contract.Job[Hyperparameters, Model]

LOSS, ACCURACY = "train:binary_classification_cross_entropy", "train:binary_classification_accuracy"


@dataclass
class State:
    """What training knows; the same at every member, but for what was seen, until it is merged."""

    descent: Descent
    seen: entities.Seen
    epoch: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))  # sums of `Descent.step` in this epoch
    lately: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))  # the same since the last line
    ended: bool = False  # a stop was asked for between two passes
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it; an exchange of what was seen."""
        self.merge(group)
        arrays = {**self.descent.arrays(), "seen": self.seen, "epoch_sums": self.epoch, "lately_sums": self.lately}
        return arrays, {"steps": self.descent.steps}

    def merge(self, group: Group) -> None:
        """What was seen by any member; an exchange."""
        self.seen = np.bitwise_or.reduce(group.gather(self.seen))


def fit(job: Job) -> Model:
    """Train for `epochs` passes in random order, and judge the network on the validation channel after each.

    Raises `UserError` where a row is no pair of an entity and an IPv4 address, where the table would not fit into
    memory, where the loss is no number any more, or where the model to start from does not fit; `Stopped` where a stop
    comes before the first batch.
    """
    settings, start = job.hyperparameters, job.start
    _check_memory(settings)
    state = resume(job, lambda arrays, facts: _restore(job, arrays, facts)) or _first(job)
    over = job.grace(GRACE)
    whole = passes(
        job,
        state,
        empty=kinds.find("table").empty(2),
        size=job.batch,
        epochs=settings.epochs,
        enough=lambda: state.ended,
        shuffle=seed_of(job.seed, ORDER),
    )
    for batches in whole:
        _epoch(job, state, batches)
        if state.epoch[2]:
            _report_epoch(job, state)
            evaluation.judge(job, state.descent.network, state.position.epoch, over)
        state.epoch[:] = 0
        state.ended = job.stopping()  # asked for while the validation channel was scored
    if not state.position.total and start is None:
        if state.position.stopped:
            raise Stopped
        raise UserError("Channel 'train' has no rows.")
    state.merge(job.group)
    return Model(network=state.descent.network, seen=state.seen)


def _epoch(job: Job, state: State, batches: Iterator[Table]) -> None:
    """One pass, with a line every so many batches."""
    settings, since = job.hyperparameters, job.clock()
    rows = 0
    for table in batches:
        batch = _batch(table, state)
        sums = state.descent.step(batch, job.group)
        state.epoch += sums
        state.lately += sums
        rows += len(batch)
        if state.position.step % settings.batch_metrics_publish_interval == 0:
            now = job.clock()
            job.reporter.report(_figures(state.lately), epoch=state.position.epoch, batch=state.position.step)
            job.reporter.throughput(rows, now - since)
            state.lately[:], rows, since = 0, 0, now


def _batch(table: Table, state: State) -> Batch:
    """Rows as numbers. Marks entities as seen, in the first pass."""
    shape = state.descent.network.shape
    hashes = entities.hashed(table.texts(0))
    if state.position.epoch == 0:
        entities.add(hashes, state.seen)
    return Batch(entities.rows(hashes, shape.entities), addresses_of(table))


def _figures(sums: NDArray[np.float64], suffix: str = "") -> dict[str, float]:
    loss, right, count = sums
    if not math.isfinite(loss):
        raise UserError(
            "learning_rate, weight_decay: must be such that training converges; the loss is no finite number any more. "
            "Lower learning_rate."
        )
    return {f"{LOSS}{suffix}": float(loss / count), f"{ACCURACY}{suffix}": float(right / count)}


def _report_epoch(job: Job, state: State) -> None:
    job.reporter.report(_figures(state.epoch, ":epoch"), epoch=state.position.epoch)


def _check_memory(settings: Hyperparameters) -> None:
    """`UserError` where the table of entities and both means of its gradients are larger than what is free."""
    needed, free = 12 * settings.num_entity_vectors * settings.vector_dim, machine.memory_free()
    if free is not None and needed > free:
        raise UserError(
            f"num_entity_vectors, vector_dim: the table of entities must fit into the {free:,} bytes of memory that "
            f"are free, three times while it is trained; {settings.num_entity_vectors:,} vectors of "
            f"{settings.vector_dim} numbers need {needed:,}."
        )


def _shape(settings: Hyperparameters) -> Shape:
    return Shape(settings.num_entity_vectors, settings.vector_dim, settings.num_ip_encoder_layers)


def _first(job: Job) -> State:
    """A random network that has seen nobody, or the model to start from."""
    settings, start = job.hyperparameters, job.start
    shape = _shape(settings)
    if start is None:
        network = Network.drawn(shape, seed_of(job.seed, NETWORK))
        return State(Descent(settings, network, job.seed), entities.nobody(shape.entities))
    theirs = start.network.shape
    check_alike(
        num_entity_vectors=(theirs.entities, shape.entities),
        vector_dim=(theirs.vector, shape.vector),
        num_ip_encoder_layers=(theirs.layers, shape.layers),
    )
    job.reporter.note("incremental training from a model's vectors of entities and its encoder")
    own = Network(shape, start.network.entities.copy(), start.network.encoder.copy())
    return State(Descent(settings, own, job.seed), start.seen.copy())


def _restore(job: Job, arrays: Arrays, facts: Facts) -> State:
    """The state of a snapshot."""
    shape: Any = _shape(job.hyperparameters)
    empty = Network(shape, np.empty((shape.entities, shape.vector), np.float32), np.empty(shape.encoder, np.float32))
    descent = Descent(job.hyperparameters, empty, job.seed)
    descent.restore(arrays, facts["steps"])
    state = State(descent, arrays["seen"].copy())
    state.epoch[:], state.lately[:] = arrays["epoch_sums"], arrays["lately_sums"]
    return state
