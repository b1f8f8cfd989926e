"""From rows to a forest: one pass of sampling, then trees on equal parts of the sample (Guha et al. 2016).

n rows of a batch   d features   r points of the sample   t trees   s points a tree
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group, interleaved
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.randomcutforest import evaluation, forest
from algoport.algorithms.randomcutforest.hyperparameters import Hyperparameters
from algoport.algorithms.randomcutforest.model import Model
from algoport.algorithms.randomcutforest.series import Shingles, checked_readings
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.sampling.reservoir import Sample, uniforms
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Arrays, Facts, Position, resume, stream

Job = contract.Job[Hyperparameters, Model]
Points = NDArray[np.float32]

# Distinct streams of random numbers from one seed.
SAMPLING, DEALING, CUTTING = 1, 2, 3


@dataclass
class State:
    """What the pass knows; `sample` and `shingles` are this member's own."""

    sample: Sample
    shingles: Shingles
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it; exchanges of the sample and of the readings that wait."""
        waiting = {f"waiting.{rank}": own for rank, own in enumerate(group.gather(self.shingles.waiting))}
        return {**self.sample.snapshot(group), **waiting}, {"seen": self.sample.seen}


def fit(job: Job) -> Model:
    """Sample the rows in one pass, grow the forest on the sample, and score the test channel.

    Raises `UserError` where a row has not feature_dim numbers or one that is not finite, where there are fewer rows
    than trees, where the forest would not fit into memory, or where the model to start from does not fit; `Stopped`
    where a stop comes before there is a point for each tree.
    """
    settings, note, start = job.hyperparameters, job.reporter.note, job.start
    _check_memory(settings, note)
    _check_start(start, settings)
    seed = job.seed if start is None else start.seed
    state = resume(job, lambda arrays, facts: _restore(settings, seed, start, arrays, facts, job.group))
    state = state or _first(settings, seed, start, job.group, note)
    note("Validating that feature_dim agrees with dimensions in training data...")
    note("Sampling training data...")
    own_series = settings.shingle_size == 1 or job.channels["train"].sharded
    for batch in stream(job, state, empty=nothing(settings.feature_dim), size=job.batch):
        readings = checked_readings(batch, settings.feature_dim, "train")
        state.sample.add(_points(state.shingles, readings, own_series, job.group), job.group)
    if not state.position.stopped:
        note("Sampling training data completed.")
        note("Early stop condition met. Stopping training.")
    note("Master node: building Random Cut Forest...")
    sample = state.sample.merged(job.group)
    note(f"{len(sample['rows'])} samples gathered")
    if len(sample["rows"]) < settings.num_trees and job.stopping():
        raise Stopped
    model = _grow(sample["rows"], sample["numbers"], state.sample, settings, seed, note)
    note(f"Random Cut Forest built: {model.forest.described(settings.shingle_size)}")
    evaluation.score(job, model)
    return model


def _check_memory(settings: Hyperparameters, note: Callable[[str], None]) -> None:
    """`UserError` where the forest is larger than what is free."""
    note("Validating memory limits...")
    needed = forest.bytes_of(settings.num_trees, settings.num_samples_per_tree, settings.width)
    note(f"Estimated memory needed to build the forest in bytes: {needed}")
    free = machine.memory_free()
    if free is not None and needed > free:
        raise UserError(
            f"num_trees, num_samples_per_tree, feature_dim: the forest must fit into the {free} bytes of memory that "
            f"are free; {settings.num_trees} trees of {settings.num_samples_per_tree} points of {settings.width} "
            f"numbers need {needed}."
        )


def _check_start(start: Model | None, settings: Hyperparameters) -> None:
    """`UserError` where the model to start from has other points."""
    if start is not None:
        check_alike(shingle_size=(start.shingle_size, settings.shingle_size))
        width = start.forest.points.shape[1] // start.shingle_size
        check_alike(feature_dim=(width, settings.feature_dim))


def _empty(settings: Hyperparameters, seed: int, start: Model | None) -> State:
    capacity = settings.num_trees * settings.num_samples_per_tree
    if start is not None and start.seen > start.sampled:
        # Of the stream so far no larger sample can be had.
        capacity = min(capacity, start.sampled)
    sample = Sample(capacity, settings.width, seed_of(seed, SAMPLING))
    return State(sample, Shingles(settings.shingle_size, settings.feature_dim))


def _restore(
    settings: Hyperparameters, seed: int, start: Model | None, arrays: Arrays, facts: Facts, group: Group
) -> State:
    """The state of a snapshot."""
    state = _empty(settings, seed, start)
    state.sample.reload(arrays, facts["seen"], group)
    state.shingles.waiting = arrays[f"waiting.{group.rank}"].copy()
    return state


def _first(
    settings: Hyperparameters, seed: int, start: Model | None, group: Group, note: Callable[[str], None]
) -> State:
    """An empty sample, or that of the model to start from, or what a smaller one would hold of it."""
    state = _empty(settings, seed, start)
    if start is None:
        return state
    keys = -np.log(uniforms(seed_of(seed, SAMPLING), start.numbers))
    order = np.unique(start.numbers, return_index=True)[1]  # once each, where trees share them
    if len(order) > state.sample.capacity:
        best = np.argsort(-keys, kind="stable")[: state.sample.capacity]
        order = best[np.argsort(start.numbers[best], kind="stable")]
    merged = {"rows": start.forest.points[order], "keys": keys[order], "numbers": start.numbers[order]}
    state.sample.restore(merged, start.seen, group)
    note(f"incremental training from a sample of {len(order)} of {start.seen} points")
    return state


def _points(shingles: Shingles, readings: Points, own_series: bool, group: Group) -> Points:
    """This member's points of a batch. Windows slide over its own rows where each member has rows of its own, else
    over all members' rows, which are one series; an exchange of these then."""
    if own_series:
        return shingles.add(readings)
    return shingles.add(interleaved(group.gather(readings)))[group.rank :: group.size]


def _grow(
    points: Points,
    numbers: NDArray[np.int64],
    sample: Sample,
    settings: Hyperparameters,
    seed: int,
    note: Callable[[str], None],
) -> Model:
    """The forest; the same at every member, as it is drawn from the same sample."""
    if len(points) < settings.num_trees:
        raise UserError(
            f"Channel 'train': must have at least one point for each of the {settings.num_trees} trees of num_trees; "
            f"it has {len(points)}."
        )
    wanted = min(settings.num_samples_per_tree, sample.capacity // settings.num_trees)
    dealt, size = forest.deal(len(points), settings.num_trees, max(wanted, 1), seed_of(seed, DEALING))
    if size * settings.num_trees > len(points):
        note(f"{len(points)} points are few for {settings.num_trees} trees: they share them, {size} a tree")
    trees, order = forest.grow(points, dealt, settings.num_trees, size, seed_of(seed, CUTTING))
    return Model(
        forest=trees,
        numbers=numbers[order],
        seen=sample.seen,
        seed=seed,
        shingle_size=settings.shingle_size,
        sampled=sample.capacity,
    )
