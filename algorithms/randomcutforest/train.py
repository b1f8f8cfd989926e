"""From rows to a forest: one pass of sampling, then trees on equal parts of the sample (Guha et al. 2016).

n rows of a batch   d features   r points of the sample   t trees   s points a tree
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, interleaved, total
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.randomcutforest import forest, kernels
from algoport.algorithms.randomcutforest.hyperparameters import Hyperparameters
from algoport.algorithms.randomcutforest.model import Model
from algoport.algorithms.randomcutforest.series import Shingles
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.sampling.reservoir import Sample, uniforms

Job = contract.Job[Hyperparameters, Model]

# Seconds that scoring the test channel may still take once a stop is asked for.
GRACE = 5.0
# Distinct streams of random numbers from one seed.
SAMPLING, DEALING, CUTTING = 1, 2, 3


@dataclass
class State:
    """What the pass knows; `sample` and `shingles` are this member's own."""

    sample: Sample
    shingles: Shingles
    seed: int
    step: int = 0  # batches of this job so far


def fit(job: Job) -> Model:
    """Sample the rows in one pass, grow the forest on the sample, and score the test channel.

    Raises `UserError` where a row has not feature_dim numbers or one that is not finite, where there are fewer rows
    than trees, where the forest would not fit into memory, or where the model to go on from does not fit; `Stopped`
    where a stop comes before there is a point for each tree.
    """
    _check_memory(job)
    state = _begun(job)
    _stream(job, state)
    model = _grown(job, state)
    _score(job, model)
    return model


def _check_memory(job: Job) -> None:
    """`UserError` where the forest is larger than what is free."""
    settings = job.hyperparameters
    job.reporter.note("Validating memory limits...")
    needed = forest.bytes_of(settings.num_trees, settings.num_samples_per_tree, settings.width)
    job.reporter.note(f"Estimated memory needed to build the forest in bytes: {needed}")
    free = machine.memory_free()
    if free is not None and needed > free:
        raise UserError(
            f"num_trees, num_samples_per_tree, feature_dim: the forest must fit into the {free} bytes of memory that "
            f"are free; {settings.num_trees} trees of {settings.num_samples_per_tree} points of {settings.width} "
            f"numbers need {needed}."
        )


def _begun(job: Job) -> State:
    """The state of the last checkpoint, or of the model to go on from, or nothing as yet."""
    settings, start = job.hyperparameters, job.start
    if start is not None:
        _check_start(start, settings)
    seed = job.seed if start is None else start.seed
    capacity = settings.num_trees * settings.num_samples_per_tree
    if start is not None and start.seen > start.sampled:
        # Of the stream so far no larger sample can be had.
        capacity = min(capacity, start.sampled)
    sample = Sample(capacity, settings.width, _drawn(seed, SAMPLING))
    state = State(sample=sample, shingles=Shingles(settings.shingle_size, settings.feature_dim), seed=seed)
    found = job.checkpoints.latest()
    if found is not None:
        arrays, facts = found
        kept = {name: arrays[f"sample.{name}"] for name in ("rows", "keys", "numbers")}
        sample.restore(kept, facts["seen"], job.group)
        state.shingles.waiting = arrays[f"waiting.{job.group.rank}"].copy()
        state.step = facts["step"]
    elif start is not None:
        _go_on(job, start, sample)
    return state


def _go_on(job: Job, start: Model, sample: Sample) -> None:
    """Fill the sample with that of the model to go on from, or with what a smaller one would hold of it."""
    keys = -np.log(uniforms(_drawn(start.seed, SAMPLING), start.numbers))
    order = np.argsort(start.numbers, kind="stable")
    if len(order) > sample.capacity:
        best = np.argsort(-keys, kind="stable")[: sample.capacity]
        order = best[np.argsort(start.numbers[best], kind="stable")]
    kept = {"rows": start.forest.points[order], "keys": keys[order], "numbers": start.numbers[order]}
    sample.restore(kept, start.seen, job.group)
    job.reporter.note(f"going on from a sample of {len(start.numbers)} of {start.seen} points")


def _stream(job: Job, state: State) -> None:
    """One pass over the rows, of which the sample keeps some."""
    settings = job.hyperparameters
    job.reporter.note("Validating that feature_dim agrees with dimensions in training data...")
    job.reporter.note("Sampling training data...")
    size = settings.mini_batch_size
    batches = job.channels["train"].batches(size, start=state.step * size)
    for batch in job.in_step(batches, nothing(settings.feature_dim)):
        rows = batch.dense()
        _check_rows(rows, settings, "train")
        state.sample.add(_points(job, state.shingles, rows), job.group)
        state.step += 1
        _save(job, state)
    if job.stopping():
        job.reporter.note(f"a stop was asked for after {state.sample.seen} points")
        _save(job, state, ended=True)  # the platform may take the job up again elsewhere
        return
    job.reporter.note("Sampling training data completed.")
    job.reporter.note("Early stop condition met. Stopping training.")
    job.reporter.progress(1, 1, "epochs")
    _save(job, state, ended=True)


def _points(job: Job, shingles: Shingles, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """This member's points of a batch. Windows slide over its own rows where each member has rows of its own, else
    over all members' rows, which are one series; an exchange of these then."""
    if job.hyperparameters.shingle_size == 1 or job.channels["train"].sharded:
        return shingles.add(rows)
    return shingles.add(interleaved(job.group.gather(rows)))[job.group.rank :: job.group.size]


def _grown(job: Job, state: State) -> Model:
    """The forest; the same at every member, as it is drawn from the same sample."""
    settings, sample = job.hyperparameters, state.sample
    job.reporter.note("Master node: building Random Cut Forest...")
    merged = sample.merged(job.group)
    points, numbers = merged["rows"], merged["numbers"]
    job.reporter.note(f"{len(points)} samples gathered")
    if len(points) < settings.num_trees:
        if job.stopping():
            raise Stopped
        raise UserError(
            f"Channel 'train': must have at least one point for each of the {settings.num_trees} trees of num_trees; "
            f"it has {len(points)}."
        )
    dealt = np.random.default_rng(_drawn(state.seed, DEALING)).permutation(len(points))
    trees, order = forest.grown(points, dealt, settings.num_trees, _drawn(state.seed, CUTTING))
    model = Model(
        forest=trees,
        numbers=numbers[order],
        seen=sample.seen,
        seed=state.seed,
        shingle_size=settings.shingle_size,
        sampled=sample.capacity,
    )
    job.reporter.note(f"Random Cut Forest built: {trees.described(settings.shingle_size)}")
    return model


def _drawn(seed: int, stream: int) -> int:
    """A seed of its own for each use."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])


def _check_rows(rows: NDArray[np.float32], settings: Hyperparameters, channel: str) -> None:
    if rows.shape[1] != settings.feature_dim:
        raise UserError(
            f"Channel '{channel}': a row has {rows.shape[1]} numbers, where feature_dim is {settings.feature_dim}."
        )
    reach = kernels.reach(rows)
    if not np.isfinite(reach):
        raise UserError(f"Channel '{channel}': a row has a missing or infinite value, which no box can hold.")
    if reach > kernels.MOST:
        raise UserError(
            f"Channel '{channel}': values must lie within {kernels.MOST:.0e} of zero; the farthest is {reach:g}."
        )


def _check_start(start: Model, settings: Hyperparameters) -> None:
    """`UserError` where the model to go on from has other points."""
    if start.shingle_size != settings.shingle_size:
        raise UserError(
            f"shingle_size: must be that of the model to go on from, {start.shingle_size}; it is "
            f"{settings.shingle_size}."
        )
    width = start.forest.points.shape[1] // start.shingle_size
    if width != settings.feature_dim:
        raise UserError(f"feature_dim: must be that of the model to go on from, {width}; it is {settings.feature_dim}.")


def _save(job: Job, state: State, ended: bool = False) -> None:
    """Keep the state where it is time to; an exchange, and then those of the sample and of what waits."""
    if not agreed(job.group, job.checkpoints.due(ended=ended)):
        return
    arrays: dict[str, NDArray[Any]] = {
        f"sample.{name}": array for name, array in state.sample.merged(job.group).items()
    }
    waiting = job.group.gather(state.shingles.waiting)
    arrays |= {f"waiting.{rank}": readings for rank, readings in enumerate(waiting)}
    job.checkpoints.save(arrays, {"seen": state.sample.seen, "step": state.step})


def _score(job: Job, model: Model) -> None:
    """The metrics of the test channel; none where a stop leaves no time to see it to its end."""
    channel = job.channels.get("test")
    if channel is None:
        job.reporter.note("Test data is not provided.")
        return
    found = _test_scores(job, model)
    if found is None:
        job.reporter.note("The test channel is not scored, as a stop was asked for.")
        return
    job.reporter.report(_metrics(job, *found))


def _test_scores(job: Job, model: Model) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """The score of each of this member's test points, and whether it is an anomaly: 5 bytes a point. None where a
    stop came and its time was up at some member."""
    settings = job.hyperparameters
    shingles = Shingles(settings.shingle_size, settings.feature_dim)
    scores, labels = [np.empty(0, np.float32)], [np.empty(0, np.bool_)]
    batches, over = job.channels["test"].batches(settings.mini_batch_size), job.grace(GRACE)
    while True:
        batch = next(batches, None)
        left, cuts = total(job.group, batch is not None, over())
        if cuts or not left:
            break
        rows, anomalous = _labeled(settings, batch)
        if settings.shingle_size > 1:
            rows, anomalous = _windows(job, shingles, rows, anomalous)
        scores.append(model.scores(rows))
        labels.append(anomalous)
    return None if cuts else (np.concatenate(scores), np.concatenate(labels))


def _labeled(settings: Hyperparameters, batch: Rows | None) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows of the test channel, and whether each is an anomaly."""
    if batch is None or not len(batch):
        return np.empty((0, settings.feature_dim), np.float32), np.empty(0, np.bool_)
    rows = batch.dense()
    _check_rows(rows, settings, "test")
    label = batch.label
    if label is None or label.shape[1] != 1 or not np.isin(label, (0, 1)).all():
        wrong = "there is none" if label is None else f"one is {label[~np.isin(label, (0, 1)).all(axis=1)][0].tolist()}"
        raise UserError(f"Channel 'test': the label of a row must be 1 for an anomaly and 0 for others; {wrong}.")
    return rows, label[:, 0] == 1


def _windows(
    job: Job, shingles: Shingles, rows: NDArray[np.float32], anomalous: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """This member's share of the windows that end with the rows of all members, which are one series, and the labels
    of their last readings; an exchange of the rows."""
    whole = shingles.add(interleaved(job.group.gather(rows)))
    labels = interleaved(job.group.gather(anomalous))
    share = slice(job.group.rank, None, job.group.size)
    return whole[share], labels[len(labels) - len(whole) :][share]


def _metrics(job: Job, scores: NDArray[np.float32], anomalous: NDArray[np.bool_]) -> dict[str, float]:
    """How well a score more than three standard deviations above the mean tells an anomaly; three exchanges."""
    wide = scores.astype(np.float64)
    count, sum_ = total(job.group, len(wide), wide.sum())
    mean = sum_ / max(count, 1)
    (squares,) = total(job.group, ((wide - mean) ** 2).sum())
    flagged = wide > mean + 3 * (squares / max(count, 1)) ** 0.5
    hits, alarms, anomalies, right = total(
        job.group, (flagged & anomalous).sum(), flagged.sum(), anomalous.sum(), (flagged == anomalous).sum()
    )
    if not count:
        return {}
    found = {}
    if "accuracy" in job.hyperparameters.eval_metrics:
        found["test:accuracy"] = right / count
    if "precision_recall_fscore" in job.hyperparameters.eval_metrics:
        found["test:precision"] = hits / max(alarms, 1)
        found["test:recall"] = hits / max(anomalies, 1)
        found["test:f1"] = 2 * hits / max(alarms + anomalies, 1)
    return found
