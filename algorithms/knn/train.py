"""From rows to an index: one pass of sampling, a reduction where one is asked for, and the building of the index.

n rows of the sample   d features   k neighbors

To read one job: `training/run.py` (`run`), here (`fit`), `building.py` (`build`), `kernels/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.knn import evaluation
from algoport.algorithms.knn.building import build
from algoport.algorithms.knn.hyperparameters import Hyperparameters
from algoport.algorithms.knn.model import Model, Sampled
from algoport.algorithms.knn.preparation import Preparation, Reduction
from algoport.algorithms.knn.sampling import Arrays, LabeledSample, checked
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Arrays as Saved
from algoport.algorithms.shared.streaming import Facts, Position, resume, stream

Job = contract.Job[Hyperparameters, Model]

SAMPLING = 1  # a stream of random numbers


@dataclass
class State:
    """What the pass knows; the sample is this member's own part."""

    sample: LabeledSample
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Saved, Facts]:
        """All of it; exchanges of the sample."""
        return self.sample.snapshot(group), {"seen": self.sample.seen}


def fit(job: Job) -> Model:
    """Sample the rows in one pass, build the index, and score the test channel.

    Raises `UserError` where a row has not feature_dim numbers or one that is not finite, where a label is missing or
    none of a class, where there are fewer rows than k, or where the model to start from does not fit; `Stopped` where
    a stop comes before there are k rows.
    """
    settings, note = job.hyperparameters, job.reporter.note
    seed = job.seed if job.start is None else job.start.sampled.seed
    state = resume(job, lambda arrays, facts: _restore(settings, seed, job.start, arrays, facts, job.group))
    state = state or _first(job, seed)
    note(f"Using a sample of {settings.sample_size} rows, of all hosts together; with less memory, reduce the "
         "dimension, or lower sample_size or mini_batch_size")  # fmt: skip
    classes = settings.predictor_type == "classifier"
    for batch in stream(job, state, empty=nothing(settings.feature_dim), size=job.batch):
        rows, labels = checked(batch, settings.feature_dim, classes, "train")
        state.sample.add(rows, labels, job.group)
    host = job.reporter.host
    note(f"Getting reservoir sample from {host}...")
    sample = state.sample.merged(job.group)
    shapes = f"data={sample['rows'].shape}, labels={sample['labels'].shape}"
    note(f"...Got reservoir sample from {host}: {shapes}, NaNs=0")
    if len(sample["rows"]) < settings.k and job.stopping():
        raise Stopped
    _check_size(sample, settings, note)
    model = _indexed(sample, state.sample.seen, settings, seed, job.group, note)
    evaluation.score(job, model)
    return model


def _check_size(sample: Arrays, settings: Hyperparameters, note: Callable[[str], None]) -> None:
    """`UserError` where there are fewer rows than neighbors; a note where there are fewer than sample_size."""
    n = len(sample["rows"])
    if n < settings.k:
        raise UserError(f"Channel 'train': must have at least k ({settings.k}) rows; it has {n}. Lower k, or add rows.")
    if n < settings.sample_size:
        note(f"sample_size: {settings.sample_size} is more than the {n} rows of the channel 'train'; all are used.")


def _indexed(
    sample: Arrays, seen: int, settings: Hyperparameters, seed: int, group: Group, note: Callable[[str], None]
) -> Model:
    """The model of a sample; the same at every member."""
    kind, target = settings.dimension_reduction_type, settings.dimension_reduction_target
    reduction = Reduction(kind, seed, settings.feature_dim, int(settings.indexed_width)) if kind and target else None
    preparation = Preparation(reduction, settings.index_metric == "COSINE", settings.indexed_width)
    rows = preparation(sample["rows"], "Channel 'train'")
    return Model(
        index=build(rows, settings, seed, group, note),
        labels=np.ascontiguousarray(sample["labels"], np.float32),
        preparation=preparation,
        k=settings.k,
        predictor=settings.predictor_type,
        feature_dim=settings.feature_dim,
        sampled=Sampled(sample["numbers"], seen, seed, settings.sample_size),
    )


def _empty(settings: Hyperparameters, seed: int, start: Model | None) -> State:
    """A sample of none."""
    capacity = settings.sample_size
    if start is not None and start.sampled.seen > start.index.size:
        # Of the stream so far no larger sample can be had.
        capacity = min(capacity, start.index.size)
    return State(LabeledSample(capacity, settings.feature_dim, seed_of(seed, SAMPLING)))


def _first(job: Job, seed: int) -> State:
    """An empty sample, or that of the model to start from."""
    settings, start = job.hyperparameters, job.start
    state = _empty(settings, seed, start)
    if start is None:
        return state
    check_alike(feature_dim=(start.feature_dim, settings.feature_dim))
    rows = start.index.as_sampled() if start.preparation.reduction is None else None
    if rows is None:
        raise UserError(
            "The model to start from must keep the rows that it was given: its index_type must not be faiss.IVFPQ, and "
            "dimension_reduction_type must not be set."
        )
    if start.preparation.normalize and settings.index_metric != "COSINE":
        check_alike(index_metric=("COSINE", settings.index_metric))
    numbers, seen = np.asarray(start.sampled.numbers), start.sampled.seen
    state.sample.resume(rows, np.asarray(start.labels), numbers, seen, job.group)
    job.reporter.note(f"incremental training from a sample of {len(rows)} of {seen} rows")
    return state


def _restore(
    settings: Hyperparameters, seed: int, start: Model | None, arrays: Saved, facts: Facts, group: Group
) -> State:
    """The state of a snapshot."""
    state = _empty(settings, seed, start)
    state.sample.reload(arrays, facts["seen"], group)
    return state
