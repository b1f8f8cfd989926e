"""From rows to centers, streaming (Sculley 2010, with whole batches and running means).

n rows of a batch   d features   k centers   s streaming centers, k times the extra center factor
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, interleaved, total
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.kmeans import kernels, shrink
from algoport.algorithms.kmeans.hyperparameters import Hyperparameters
from algoport.algorithms.kmeans.lloyd import Clustering, lloyd
from algoport.algorithms.kmeans.model import Model
from algoport.algorithms.shared.sampling.reservoir import Sample

Job = contract.Job[Hyperparameters, Model]

# The most extra centers that "auto" stands for; the original's published log shows 10.
MOST_EXTRA = 10
# Rows of the sample on which the shrunk centers are refined: 10,000 within 32 MB, or 200 a center within 128 MB.
SAMPLE, SAMPLE_BYTES = 10_000, 1 << 25
SAMPLE_A_CENTER, SAMPLE_MOST_BYTES = 200, 1 << 27
# A sample with fewer rows a center would add more noise than it takes away (letter, k=26: msd 3.3 % over the
# best with 2,000 rows and 1.6 % with 5,000, where the shrunk centers alone are 4.7 % over).
LEAST_A_CENTER = 100
# How many of the shrunk trials are refined, and for how many passes before only the best goes on.
CANDIDATES, BRIEF = 3, 2
# Seconds that shrinking, refining and scoring may still take once a stop is asked for: what is quick is finished,
# and what is long does not cost the model.
GRACE = 5.0
# Distinct streams of random numbers from one seed.
FIRST, SAMPLING = 1, 3


@dataclass
class State:
    """What streaming knows; the same at every member, but for the sample."""

    centers: NDArray[np.float32]  # (s, d)
    weights: NDArray[np.float64]  # (s,) rows that each center stands for
    inherited: NDArray[np.float32]  # (i, d) streaming centers of the model that training goes on from
    inherited_weights: NDArray[np.float64]  # (i,)
    sample: Sample
    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    seen: int = 0  # rows of all members and epochs


def fit(job: Job) -> Model:
    """Stream over the rows, shrink the streaming centers to k, refine these on a sample, and score them.

    Raises `UserError` where there are fewer rows than k, where a row has not feature_dim numbers or one that is
    not finite, or where the model to go on from does not fit; `Stopped` where a stop comes before the first batch.
    """
    state = _resumed(job) or _begun(job)
    _stream(job, state)
    over = job.grace(GRACE)
    centers = _finish(job, state, over)
    model = Model(centers=centers, streaming=state.centers, weights=state.weights)
    _score(job, model, over)
    return model


def _begun(job: Job) -> State:
    """The first streaming centers, drawn from the first batch, or those of the model to go on from."""
    settings = job.hyperparameters
    first = _first_batch(job)
    if job.start is None:
        centers = _drawn(job, first)
        return _state(job, centers, np.zeros(len(centers)), inherited=0)
    _check_start(job.start, settings)
    if job.start.streaming is not None and job.start.weights is not None and len(job.start.streaming) >= settings.k:
        centers, weights = job.start.streaming.copy(), job.start.weights.copy()
    else:
        # A model of the original says nothing of how much it has seen: it counts as one batch.
        centers = job.start.centers.copy()
        weights = np.full(len(centers), settings.mini_batch_size / len(centers))
    job.reporter.note(f"going on from a model of {len(job.start.centers)} centers, {len(centers)} while streaming")
    return _state(job, centers, weights, inherited=len(centers))


def _state(job: Job, centers: NDArray[np.float32], weights: NDArray[np.float64], inherited: int) -> State:
    settings = job.hyperparameters
    size = 4 * settings.feature_dim
    usual, needed = min(SAMPLE, SAMPLE_BYTES // size), SAMPLE_A_CENTER * settings.k
    capacity = max(1, min(max(usual, needed), SAMPLE_MOST_BYTES // size))
    seed = int(np.random.SeedSequence([job.seed, SAMPLING]).generate_state(1)[0])
    return State(
        centers=centers,
        weights=weights,
        inherited=centers[:inherited].copy(),
        inherited_weights=weights[:inherited].copy(),
        sample=Sample(capacity, settings.feature_dim, seed, settings.half_life_time_size),
    )


def _first_batch(job: Job) -> NDArray[np.float32]:
    """All members' rows of the first batch, or of more where sharding leaves it with fewer than k."""
    settings = job.hyperparameters
    wanted = settings.mini_batch_size
    before = -1.0
    while True:
        mine = job.channels["train"].head(wanted)
        rows = mine.dense() if len(mine) else np.empty((0, settings.feature_dim), np.float32)
        _check_rows(rows, settings)
        (count,) = total(job.group, len(rows))
        if count >= settings.k or count == before:
            break
        before, wanted = count, wanted * 2
    if count == 0 and agreed(job.group, job.stop_requested()):
        raise Stopped
    if count < settings.k and job.start is None:
        raise UserError(f"Channel 'train' has {int(count)} rows, which is fewer than k, {settings.k}.")
    return np.ascontiguousarray(interleaved(job.group.gather(rows)))


def _drawn(job: Job, first: NDArray[np.float32]) -> NDArray[np.float32]:
    """s rows of the first batch by `init_method`."""
    settings = job.hyperparameters
    most = max(1, len(first) // settings.k)
    if settings.extra_center_factor == "auto":
        factor = min(MOST_EXTRA, most)
        job.reporter.note(f"'extra_center_factor' was set to 'auto', evaluated to {factor}.")
    else:
        factor = min(settings.extra_center_factor, most)
        if factor < settings.extra_center_factor:
            job.reporter.note(
                f"'extra_center_factor' is {factor} and not {settings.extra_center_factor}, "
                f"as the first batch has but {len(first)} rows."
            )
    s = settings.k * factor
    random = np.random.default_rng([job.seed, FIRST])
    if settings.init_method == "kmeans++":
        chosen = kernels.plus_plus(first, np.ones(len(first)), s, random.random(s))
    else:
        chosen = random.choice(len(first), s, replace=False)
    return np.ascontiguousarray(first[chosen])


def _stream(job: Job, state: State) -> None:
    """Every batch moves the centers that its rows are nearest to; ends early when a stop is asked for."""
    settings = job.hyperparameters
    size = settings.mini_batch_size
    while state.epoch < settings.epochs:
        batches = job.channels["train"].batches(size, start=state.step * size)
        for batch in job.in_step(batches, nothing(settings.feature_dim)):
            rows = batch.dense()
            _check_rows(rows, settings)
            _move(job, state, rows)
            state.step += 1
            _save(job, state)
        if job.stopping():
            job.reporter.note(f"a stop was asked for in epoch {state.epoch + 1}, after {state.seen} examples")
            _save(job, state, ended=True)  # the platform may take the job up again elsewhere
            break
        state.epoch, state.step = state.epoch + 1, 0
        job.reporter.progress(state.epoch, settings.epochs, "epochs")
        _save(job, state, ended=True)
    job.reporter.note(f"processed a total of {state.seen} examples")
    if state.seen == 0 and job.start is None:
        raise Stopped


def _move(job: Job, state: State, rows: NDArray[np.float32]) -> None:
    """One batch: running means, in which older rows fade where a half-life is set."""
    settings = job.hyperparameters
    if state.epoch == 0 or settings.half_life_time_size:
        # Further epochs bring the same rows again, which the sample should not hold twice.
        state.sample.add(rows, job.group)
    sums, counts = np.zeros(state.centers.shape), np.zeros(len(state.centers))
    _on(job.device).accumulate(rows, state.centers, sums, counts)
    job.group.sum_(sums, counts)
    n = counts.sum()
    if settings.half_life_time_size:
        fading = 2.0 ** (-n / settings.half_life_time_size)
        state.weights *= fading
        state.inherited_weights *= fading
    kernels.streaming_update(state.centers, state.weights, sums, counts)
    state.seen += int(n)


def _finish(job: Job, state: State, over: Callable[[], bool]) -> NDArray[np.float32]:
    """Shrink, refine and report; all members compute the same, and what counts is the first one's."""
    found = _refined(job, state, shrink.shrink(state.centers, state.weights, job, over), over)
    centers = np.ascontiguousarray(found.centers, np.float32)
    job.group.broadcast_(centers)
    job.reporter.report({"train:msd": found.msd})
    return centers


def _refined(job: Job, state: State, shrunk: list[Clustering], over: Callable[[], bool]) -> Clustering:
    """The best of the shrunk centers after Lloyd's method on the sample.

    Shrinking sees the streaming centers as points and nothing of the spread around them. That alone left msd
    4.7 % over the best of ten full runs on letter (k=26) and 3.4 % on digits (k=20); refined, 1.5 and 0.9 %.
    Twice the sample brought letter to 1.0 %, for a fifth more time.
    """
    settings = job.hyperparameters
    rows, weights = _sampled(job, state)
    few = len(rows) < min(state.sample.seen, LEAST_A_CENTER * settings.k)
    if few or len(rows) == 0:
        return shrunk[0]
    most, tol = settings.local_lloyd_max_iter, settings.local_lloyd_tol
    begun = []
    for candidate in shrunk[:CANDIDATES]:
        passes = min(BRIEF, most)
        begun.append(lloyd(rows, candidate.centers, weights=weights, passes=passes, tol=tol, over=over))
        if job.stop_requested():
            break
    best = min(begun, key=lambda found: found.msd)
    if most > BRIEF and best.passes == BRIEF and not job.stop_requested():
        best = lloyd(rows, best.centers, weights=weights, passes=most - BRIEF, tol=tol, over=over)
    job.reporter.note(f"refined on {len(rows)} rows: {best.msd:.6f}")
    return best


def _sampled(job: Job, state: State) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """What stands for all rows ever seen, and their weights where they differ: the sample, and, where training
    went on from a model, its centers with the weights that they had then."""
    rows, weights = state.sample.estimate(state.sample.merged(job.group))
    if not len(state.inherited):
        return rows, weights if job.hyperparameters.half_life_time_size else None
    learned = max(state.weights.sum() - state.inherited_weights.sum(), 0.0)
    weights *= learned / max(weights.sum(), 1e-300)
    return np.concatenate([rows, state.inherited]), np.concatenate([weights, state.inherited_weights])


def _score(job: Job, model: Model, over: Callable[[], bool]) -> None:
    """The metrics of the test channel; none where a stop leaves no time to see it to its end."""
    settings = job.hyperparameters
    channel = job.channels.get("test")
    if channel is None:
        job.reporter.note("Test data is not provided.")
        return
    loss, count, cut = 0.0, 0.0, False
    for batch in channel.batches(settings.mini_batch_size):
        cut = over()
        if cut:
            break
        rows = batch.dense()
        _check_rows(rows, settings, "test")
        loss += float((_on(job.device).nearest(rows, model.centers)[1].astype(np.float64) ** 2).sum())
        count += len(rows)
    loss, rows_scored, cuts = total(job.group, loss, count, cut)
    if cuts:
        job.reporter.note("The test channel is not scored, as a stop was asked for.")
    elif rows_scored:
        scores = {"msd": loss / rows_scored, "ssd": loss}
        job.reporter.report({f"test:{name}": scores[name] for name in settings.eval_metrics})


def _check_rows(rows: NDArray[np.float32], settings: Hyperparameters, channel: str = "train") -> None:
    if rows.shape[1] != settings.feature_dim:
        raise UserError(
            f"Channel '{channel}': a row has {rows.shape[1]} numbers, where feature_dim is {settings.feature_dim}."
        )
    if not kernels.finite(rows):
        raise UserError(f"Channel '{channel}': a row has a missing or infinite value, which has no distance.")


def _check_start(start: Model, settings: Hyperparameters) -> None:
    """`UserError` where the model to go on from has other features, or too few centers."""
    if start.width != settings.feature_dim:
        raise UserError(
            f"feature_dim: must be that of the model to go on from, {start.width}; it is {settings.feature_dim}."
        )
    held = len(start.centers) if start.streaming is None else len(start.streaming)
    if settings.k > held or (settings.k != len(start.centers) and start.streaming is None):
        raise UserError(
            f"k: must fit the model to go on from, which has {len(start.centers)} centers, {held} while streaming; "
            f"it is {settings.k}."
        )


def _on(device: str) -> ModuleType:
    """The kernels of a device."""
    name = "kernels" if device == "cpu" else "kernels_torch"
    return importlib.import_module(f"algoport.algorithms.kmeans.{name}")


def _save(job: Job, state: State, ended: bool = False) -> None:
    """Keep the state where it is time to, wherever in a pass it stands; an exchange, and then one of the sample."""
    if not agreed(job.group, job.checkpoints.due(ended=ended)):
        return
    arrays: dict[str, NDArray[Any]] = {
        "centers": state.centers,
        "weights": state.weights,
        "inherited": state.inherited,
        "inherited_weights": state.inherited_weights,
    }
    merged = state.sample.merged(job.group)
    arrays |= {f"sample.{name}": array for name, array in merged.items()}
    facts = {"epoch": state.epoch, "step": state.step, "seen": state.seen, "sampled": state.sample.seen}
    job.checkpoints.save(arrays, facts)


def _resumed(job: Job) -> State | None:
    """The state of the last checkpoint, or None."""
    found = job.checkpoints.latest()
    if found is None:
        return None
    arrays, facts = found
    state = _state(job, arrays["centers"].copy(), arrays["weights"].copy(), inherited=0)
    state.inherited, state.inherited_weights = arrays["inherited"].copy(), arrays["inherited_weights"].copy()
    state.epoch, state.step, state.seen = facts["epoch"], facts["step"], facts["seen"]
    merged = {name: arrays[f"sample.{name}"] for name in ("rows", "keys", "numbers")}
    state.sample.restore(merged, facts["sampled"], job.group)
    return state
