"""From rows to their principal components: one pass of sums, then an eigenvalue problem (Jolliffe 2002, section 1.1).

n rows   d features   k components
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import agreed, total
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.pca.hyperparameters import Hyperparameters
from algoport.algorithms.pca.model import Model, packed_moments
from algoport.algorithms.pca.moments import Scatter, Sketch, directions
from algoport.algorithms.pca.panels import Panels, is_thin
from algoport.algorithms.shared import machine

Job = contract.Job[Hyperparameters, Model]

# Numbers that a batch has at least: one of a few rows would spend its time on the exchanges between two of them.
LEAST = 1 << 18
FEWEST = 256  # rows that the offset is the mean of, at least
# Seconds that scoring may still take once a stop is asked for.
GRACE = 5.0
# Products of what lies farther than this from the rest are beyond float32.
FARTHEST = 1e18


@dataclass
class State:
    """What the pass knows."""

    panels: Panels
    step: int = 0  # batches so far


def fit(job: Job) -> Model:
    """Sum up the rows in one pass, find the components of the sums, and score them.

    Raises `UserError` where a row has not feature_dim numbers or one that is missing, infinite or too large, where
    the sums would not fit into memory, or where the model to go on from does not fit; `Stopped` where a stop comes
    before the first batch.
    """
    _check_memory(job)
    state = _begun(job)
    _stream(job, state)
    sums = _sums(job, state)
    model = _model(job, sums)
    _report(job, model, sums)
    _score(job, model)
    return model


def _check_memory(job: Job) -> None:
    """`UserError` where the sums are larger than what is free."""
    settings = job.hyperparameters
    d, free = settings.feature_dim, machine.memory_free()
    # The sums as strips, whole and as the solver has them; the strips of a panel.
    rows = settings.columns if settings.is_sketched else d
    needed = 8 * d * rows * (20 if settings.is_sketched else 5) + 4 * d * 2048
    if free is not None and needed > free:
        remedy = "" if settings.algorithm_mode == "randomized" else "; algorithm_mode=randomized needs less"
        raise UserError(
            f"feature_dim: the sums of {rows} by {d} numbers must fit into the {free} bytes of memory that are free; "
            f"they need {needed}{remedy}."
        )


def _begun(job: Job) -> State:
    """Empty sums, about an offset near the mean of the first batch; or the state of the last checkpoint."""
    _check_start(job)
    found = job.checkpoints.latest()
    if found is not None:
        arrays, facts = found
        state = State(panels=_panels(job, arrays["shift"]), step=facts["step"])
        state.panels.restore(arrays, job.group)
        return state
    return State(panels=_panels(job, _offset(job)))


def _panels(job: Job, shift: NDArray[np.float32]) -> Panels:
    settings = job.hyperparameters
    along = None
    if settings.is_sketched:
        along = directions(settings.feature_dim, settings.columns, _seed(job))
    return Panels(shift, along=along, device=job.device)


def _seed(job: Job) -> int:
    """That of the directions: the model's to go on from, where there is one, as sums along others do not add up."""
    kept = {} if job.start is None else job.start.moments
    return int(kept["seed"][0]) if "seed" in kept else job.seed % (1 << 53)  # which float64 holds


def _offset(job: Job) -> NDArray[np.float32]:
    """The mean of all members' first rows; nothing where some are so thin that they are multiplied as sparse ones,
    in float64, for which they must stay so."""
    d = job.hyperparameters.feature_dim
    first = job.channels["train"].head(max(LEAST // d, FEWEST))
    if len(first):
        _check_width(first, d, "train")
    thin = is_thin(first)
    rows = np.zeros((0, d), np.float32) if thin or not len(first) else first.dense()
    sums = np.concatenate([rows.sum(axis=0, dtype=np.float64), [len(rows), float(thin)]])
    job.group.sum_(sums)
    if sums[-1] or not np.isfinite(sums).all():
        return np.zeros(d, np.float32)
    return np.asarray(sums[:d] / max(sums[d], 1.0), np.float32)


def _batch(job: Job) -> int:
    """Rows of a batch: `mini_batch_size`, or a multiple, as it does not change the result."""
    settings = job.hyperparameters
    size = settings.mini_batch_size
    return size * -(-max(LEAST // settings.feature_dim, 1) // size)


def _stream(job: Job, state: State) -> None:
    """Every batch into the sums; ends early when a stop is asked for."""
    settings = job.hyperparameters
    d, size = settings.feature_dim, _batch(job)
    job.reporter.note(f"{d} feature(s) found in 'data'.")
    batches = job.channels["train"].batches(size, start=state.step * size)
    for batch in job.in_step(batches, nothing(d)):
        _check_width(batch, d, "train")
        _add(state, batch)
        state.step += 1
        _save(job, state)
    if job.stopping():
        job.reporter.note(f"a stop was asked for after {state.step} batches")
    else:
        job.reporter.progress(1, 1, "epochs")
    _save(job, state, ended=True)
    if state.step == 0 and job.start is None:
        raise Stopped


def _add(state: State, batch: Rows) -> None:
    features = batch.features
    if not isinstance(features, np.ndarray) and state.panels.takes_sparse(features):
        state.panels.add_sparse(features)
    else:
        state.panels.add(batch.dense())


def _sums(job: Job, state: State) -> Scatter | Sketch:
    """Those of all members, and of the model to go on from; an exchange."""
    shift = state.panels.shift
    whole = state.panels.total(job.group)
    if not np.isfinite(whole).all():
        raise UserError(
            f"Channel 'train': values must be there, and lie within {FARTHEST:.0e} of their mean; a row has one that "
            "is missing, infinite or farther."
        )
    found: Any
    if job.hyperparameters.is_sketched:
        along = directions(len(shift), len(whole) - 1, _seed(job))
        found = Sketch.of(whole, np.array(shift), along, float(state.panels.spread[0]))
    else:
        found = Scatter.of(whole, np.array(shift))
    before = None if job.start is None else job.start.sums
    return found if before is None else before.joined(found)


def _model(job: Job, sums: Scatter | Sketch) -> Model:
    """The components; all members find the same, and what counts is the first one's."""
    settings = job.hyperparameters
    vectors, values = sums.components(settings.num_components, centered=settings.subtract_mean)
    mean = sums.mean if settings.subtract_mean else np.zeros_like(sums.mean)
    found = [np.ascontiguousarray(array, np.float32) for array in (mean, vectors, values)]
    job.group.broadcast_(*found)
    if sums.count <= settings.num_components:
        job.reporter.note(
            f"There are {sums.count:.0f} rows for {settings.num_components} components: those beyond the rank of the "
            "rows are arbitrary, with singular values of 0."
        )
    return Model(
        mean=found[0],
        components=found[1],
        singular_values=found[2],
        moments=packed_moments(sums, _seed(job)),
        centered=settings.subtract_mean,
    )


def _report(job: Job, model: Model, sums: Scatter | Sketch) -> None:
    """How much of the variance each component has, strongest first."""
    squares = model.singular_values[::-1].astype(np.float64) ** 2
    whole = sums.variance if job.hyperparameters.subtract_mean else sums.variance + sums.count * (sums.mean**2).sum()
    shares = squares / whole if whole > 0 else np.zeros_like(squares)
    # Of no variance all is kept.
    job.reporter.report({"train:explained_variance": float(min(shares.sum(), 1.0)) if whole > 0 else 1.0})
    table = {
        "component": list(range(1, len(shares) + 1)),
        "singular_value": model.singular_values[::-1].tolist(),
        "share": shares.tolist(),
        "shares_so_far": np.cumsum(shares).tolist(),
    }
    job.reporter.keep("explained_variance.csv", table)


def _score(job: Job, model: Model) -> None:
    """The share of the test rows' squared distances to the mean that their projections keep."""
    channel = job.channels.get("test")
    if channel is None:
        job.reporter.note("Test data is not provided.")
        return
    kept, whole, cut, over = 0.0, 0.0, False, job.grace(GRACE)
    for batch in channel.batches(_batch(job)):
        cut = over()
        if cut:
            break
        _check_width(batch, model.width, "test")
        rows = batch.dense()
        kept += float((model.project(rows).astype(np.float64) ** 2).sum())
        whole += float(((rows - model.mean).astype(np.float64) ** 2).sum())
    kept, whole, cuts = total(job.group, kept, whole, cut)
    if cuts:
        job.reporter.note("The test channel is not scored, as a stop was asked for.")
    elif not np.isfinite(whole):
        raise UserError("Channel 'test': a row has a missing or infinite value.")
    elif whole > 0:
        job.reporter.report({"test:explained_variance": kept / whole})


def _check_width(rows: Rows, d: int, channel: str) -> None:
    if rows.width != d:
        raise UserError(f"Channel '{channel}': a row has {rows.width} numbers, where feature_dim is {d}.")


def _check_start(job: Job) -> None:
    """`UserError` where the model to go on from has other features, or other sums."""
    settings, start = job.hyperparameters, job.start
    if start is None:
        return
    if start.width != settings.feature_dim:
        raise UserError(
            f"feature_dim: must be that of the model to go on from, {start.width}; it is {settings.feature_dim}."
        )
    sums = start.sums
    if sums is None:
        raise UserError(
            "Channel 'model': a model of the original image does not tell how many rows it has seen and how they "
            "spread, so that training cannot go on from it."
        )
    if isinstance(sums, Sketch) is not settings.is_sketched:
        kept = "a sketch, of randomized mode" if isinstance(sums, Sketch) else "the exact sums, of regular mode"
        raise UserError(f"algorithm_mode: must be that of the model to go on from, which keeps {kept}.")
    if isinstance(sums, Sketch) and len(sums.products) != settings.columns:
        raise UserError(
            f"num_components, extra_components: must make a sketch of as many rows as that of the model to go on "
            f"from, {len(sums.products)}; they make {settings.columns}."
        )


def _save(job: Job, state: State, ended: bool = False) -> None:
    """Keep the state where it is time to; an exchange, and then those of the sums."""
    if not agreed(job.group, job.checkpoints.due(ended=ended)):
        return
    state.panels.merge(job.group)
    job.checkpoints.save(state.panels.state(job.group), {"step": state.step})
