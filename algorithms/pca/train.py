"""From rows to their principal components: one pass of sums, then an eigenvalue problem (Jolliffe 2002, section 1.1).

n rows   d features   k components
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.pca import kernels
from algoport.algorithms.pca.hyperparameters import Hyperparameters
from algoport.algorithms.pca.model import Model, packed_moments
from algoport.algorithms.pca.moments import Scatter, Sketch, directions
from algoport.algorithms.pca.panels import Panels, is_thin
from algoport.algorithms.shared import machine, scoring
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Arrays, Facts, Position, resume, stream

Job = contract.Job[Hyperparameters, Model]

# Numbers that a batch has at least: one of a few rows would spend its time on the exchanges between two of them.
LEAST = 1 << 18
FEWEST = 256  # rows that the offset is the mean of, at least
# Products of what lies farther than this from the rest are beyond float32.
FARTHEST = 1e18


@dataclass
class State:
    """What the pass knows: this member's sums."""

    panels: Panels
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """The sums of all members; exchanges of these."""
        self.panels.merge(group)
        return self.panels.state(group), {}


def fit(job: Job) -> Model:
    """Sum up the rows in one pass, find the components of the sums, and score them.

    Raises `UserError` where a row has not feature_dim numbers or one that is missing, infinite or too large, where
    the sums would not fit into memory, or where the model to start from does not fit; `Stopped` where a stop comes
    before the first batch.
    """
    settings, start = job.hyperparameters, job.start
    d, size = settings.feature_dim, _rows_of_a_batch(settings.feature_dim, job.batch)
    _check_memory(settings)
    _check_start(start, settings)
    seed = _seed(start, job.seed)
    along = directions(d, settings.columns, seed) if settings.is_sketched else None
    state = resume(job, lambda arrays, _: State(Panels.restored(arrays, along, job.device, job.group)))
    state = state or State(Panels(_offset(job.channels["train"], d, job.group), along=along, device=job.device))
    job.reporter.note(f"{d} feature(s) found in 'data'.")
    for batch in stream(job, state, empty=nothing(d), size=size):
        check_width(batch, d, "train")
        _add(state.panels, batch)
    if not state.position.total and start is None:
        raise Stopped
    sums = _sums(state.panels, along, start, job.group)
    model = _model(sums, settings, seed, job.group, job.reporter.note)
    _report(model, sums, job.reporter)
    _score(job, model, size)
    return model


def _rows_of_a_batch(d: int, batch: int) -> int:
    """`mini_batch_size`, or a multiple, as it does not change the result."""
    return batch * -(-max(LEAST // d, 1) // batch)


def _check_memory(settings: Hyperparameters) -> None:
    """`UserError` where the sums are larger than what is free."""
    d, free = settings.feature_dim, machine.memory_free()
    # The sums as strips, whole and as the solver has them; the strips of a panel.
    rows = settings.columns if settings.is_sketched else d
    needed = 8 * d * rows * (20 if settings.is_sketched else 5) + 4 * d * 2 * kernels.PANEL
    if free is not None and needed > free:
        remedy = "" if settings.algorithm_mode == "randomized" else "; algorithm_mode=randomized needs less"
        raise UserError(
            f"feature_dim: the sums of {rows} by {d} numbers must fit into the {free} bytes of memory that are free; "
            f"they need {needed}{remedy}."
        )


def _check_start(start: Model | None, settings: Hyperparameters) -> None:
    """`UserError` where the model to start from has other features, or other sums."""
    if start is None:
        return
    check_alike(feature_dim=(start.width, settings.feature_dim))
    sums = start.sums
    if sums is None:
        raise UserError(
            "Channel 'model': a model of the original image does not record how many rows it has seen and how they "
            "spread, so that incremental training cannot start from it."
        )
    if isinstance(sums, Sketch) is not settings.is_sketched:
        mode = "a sketch, of randomized mode" if isinstance(sums, Sketch) else "the exact sums, of regular mode"
        raise UserError(f"algorithm_mode: must be that of the model to start from, which keeps {mode}.")
    if isinstance(sums, Sketch) and len(sums.products) != settings.columns:
        raise UserError(
            f"num_components, extra_components: must make a sketch of as many rows as that of the model to go on "
            f"from, {len(sums.products)}; they make {settings.columns}."
        )


def _seed(start: Model | None, seed: int) -> int:
    """That of the directions: the model's to start from, where there is one, as sums along others do not add up."""
    moments = {} if start is None else start.moments
    return int(moments["seed"][0]) if "seed" in moments else seed % (1 << 53)  # which float64 holds


def _offset(train: contract.Source[Rows], d: int, group: Group) -> NDArray[np.float32]:
    """The mean of all members' first rows; nothing where some are so thin that they are multiplied as sparse ones,
    in float64, for which they must stay so."""
    first = train.head(max(LEAST // d, FEWEST))
    if len(first):
        check_width(first, d, "train")
    thin = is_thin(first)
    rows = np.zeros((0, d), np.float32) if thin or not len(first) else first.dense()
    sums = np.concatenate([rows.sum(axis=0, dtype=np.float64), [len(rows), float(thin)]])
    group.sum_(sums)
    if sums[-1] or not np.isfinite(sums).all():
        return np.zeros(d, np.float32)
    return np.asarray(sums[:d] / max(sums[d], 1.0), np.float32)


def _add(panels: Panels, batch: Rows) -> None:
    features = batch.features
    if not isinstance(features, np.ndarray) and panels.takes_sparse(features):
        panels.add_sparse(features)
    else:
        panels.add(batch.dense())


def _sums(panels: Panels, along: NDArray[np.float64] | None, start: Model | None, group: Group) -> Scatter | Sketch:
    """Those of all members, and of the model to start from; an exchange."""
    whole = panels.total(group)
    if not np.isfinite(whole).all():
        raise UserError(
            f"Channel 'train': values must be there, and lie within {FARTHEST:.0e} of their mean; a row has one that "
            "is missing, infinite or farther."
        )
    shift = np.array(panels.shift)
    before = None if start is None else start.sums
    if along is not None:
        sketch = Sketch.of(whole, shift, along, float(panels.spread[0]))
        return before.joined(sketch) if isinstance(before, Sketch) else sketch
    scatter = Scatter.of(whole, shift)
    return before.joined(scatter) if isinstance(before, Scatter) else scatter


def _model(
    sums: Scatter | Sketch, settings: Hyperparameters, seed: int, group: Group, note: Callable[[str], None]
) -> Model:
    """The components; all members find the same, and what counts is the first one's."""
    vectors, values = sums.components(settings.num_components, centered=settings.subtract_mean)
    shift = sums.mean if settings.subtract_mean else np.zeros_like(sums.mean)
    mean, components, lengths = (np.ascontiguousarray(array, np.float32) for array in (shift, vectors, values))
    group.broadcast_(mean, components, lengths)
    if sums.count <= settings.num_components:
        note(
            f"There are {sums.count:.0f} rows for {settings.num_components} components: those beyond the rank of the "
            "rows are arbitrary, with singular values of 0."
        )
    return Model(
        mean=mean,
        components=components,
        singular_values=lengths,
        moments=packed_moments(sums, seed),
        centered=settings.subtract_mean,
    )


def _report(model: Model, sums: Scatter | Sketch, reporter: contract.Reporter) -> None:
    """How much of the variance each component has, strongest first."""
    squares = model.singular_values[::-1].astype(np.float64) ** 2
    whole = sums.variance if model.centered else sums.variance + sums.count * (sums.mean**2).sum()
    shares = squares / whole if whole > 0 else np.zeros_like(squares)
    # Of no variance all is kept.
    reporter.report({"train:explained_variance": float(min(shares.sum(), 1.0)) if whole > 0 else 1.0})
    table = {
        "component": list(range(1, len(shares) + 1)),
        "singular_value": model.singular_values[::-1].tolist(),
        "share": shares.tolist(),
        "shares_so_far": np.cumsum(shares).tolist(),
    }
    reporter.keep("explained_variance.csv", table)


def _score(job: Job, model: Model, size: int) -> None:
    """The share of the test rows' squared distances to the mean that their projections keep."""

    def squares(batch: Rows) -> tuple[float, float]:
        check_width(batch, model.width, "test")
        rows = batch.dense()
        projected = float((model.project(rows).astype(np.float64) ** 2).sum())
        return projected, float(((rows - model.mean).astype(np.float64) ** 2).sum())

    projected, whole = scoring.sums(job, size, job.grace(scoring.GRACE), squares, 2) or (0.0, 0.0)
    if not np.isfinite(whole):
        raise UserError("Channel 'test': a row has a missing or infinite value.")
    if whole > 0:
        job.reporter.report({"test:explained_variance": projected / whole})
