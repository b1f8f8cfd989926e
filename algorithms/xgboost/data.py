"""What the channels hold for boosted trees: rows, and what they should come to.    n rows   d features"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract import Source
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group, total
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.xgboost.objectives import Objective
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.related import Targets

TRAIN, VALIDATION = "train", "validation"
MOST_PADDING = 1 << 16  # columns without values by which dense rows are widened; beyond, they become sparse
MOST_ROWS = (1 << 31) - 1  # of a member: kernels number rows with 32 bits
BOUNDS = 2  # labels of survival:aft: from when on, and until when


@dataclass(frozen=True, eq=False)
class Part:
    """This member's rows of a channel, or of a part of it."""

    rows: Rows
    targets: Targets

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, chosen: NDArray[np.int64]) -> Part:
        """Some of the rows."""
        return Part(self.rows.take(chosen), self.targets.at(chosen)).widened(self.rows.width)

    def widened(self, width: int) -> Part:
        """The rows with so many features, of which those beyond have no value. They cannot be written to: kernels
        would be compiled anew for rows that can be where others cannot."""
        features: Any = self.rows.features
        if self.rows.is_sparse:
            wide: Any = sparse.csr_array((features.data, features.indices, features.indptr), shape=(len(self), width))
        elif width - self.rows.width > MOST_PADDING:
            wide = _mentioned_only(features, width)
        else:
            lacking = ((0, 0), (0, width - self.rows.width))
            whole = np.pad(features, lacking, constant_values=np.nan) if width > self.rows.width else features
            wide = const(whole)
        return Part(replace(self.rows, features=wide), self.targets)


def read_channels(
    channels: Mapping[str, Source[Rows]], plan: Plan, least: int, note: Callable[[str], None]
) -> dict[str, Part]:
    """The rows of the channels, `least` features wide or more, and as wide at all members; some exchanges.

    `UserError` where they do not fit the settings.
    """
    names = [name for name in (TRAIN, VALIDATION) if name in channels]
    parts = {name: read(channels[name], name, plan.objective, plan.group) for name in names}
    width = max(widest(list(parts.values()), plan.group), least)
    _check_width(plan, width)
    rows = total(plan.group, *(len(part) for part in parts.values()))
    note(f"Train matrix has {rows[0]:.0f} rows and {width} columns")
    if VALIDATION in parts:
        note(f"Validation matrix has {rows[1]:.0f} rows")
    s = plan.settings
    if s.early_stopping_rounds is not None and (plan.watched is None or (VALIDATION not in parts and not s.kfold)):
        note("early_stopping_rounds does nothing without a validation channel and eval_metric.")
    return {name: part.widened(width) for name, part in parts.items()}


def _check_width(plan: Plan, width: int) -> None:
    """`UserError` where constraints name features that there are not."""
    limit = plan.settings.monotone_constraints
    if len(limit) > width:
        raise UserError(f"monotone_constraints: must be at most {width}, one a feature; there are {len(limit)}.")
    highest = max((int(f) for one in plan.settings.interaction_constraints for f in one), default=0)
    if highest >= width:
        raise UserError(f"interaction_constraints: must name features from 0 to {width - 1}; one is {highest}.")


def read(source: Source[Rows], name: str, objective: Objective, group: Group) -> Part:
    """All rows of a channel that this member has. Two exchanges. `UserError` where there is none, or where one has no
    label or none that fits the objective."""
    rows = source.all()
    if len(rows) > MOST_ROWS:
        raise UserError(
            f"Channel '{name}': must have at most {MOST_ROWS:,} rows a host; it has {len(rows):,}. Share them out "
            "among more hosts (S3DataDistributionType ShardedByS3Key), or train on a part of them."
        )
    part = Part(rows, _targets(rows, name, objective))
    objective.check(part.targets, name)
    count, weighted = total(group, len(rows), rows.weight is not None)
    if count == 0:
        raise UserError(f"Channel '{name}' must have rows; it has none.")
    if weighted and rows.weight is None:
        part = Part(rows, replace(part.targets, weight=np.ones(len(rows), np.float32)))
    return part


def widest(parts: list[Part], group: Group) -> int:
    """How many features the rows of all members have; an exchange. libsvm says it by the highest key alone."""
    mine = max((part.rows.width for part in parts if len(part)), default=0)
    return int(np.concatenate(group.gather(np.array([mine], np.int64))).max())


def first_feature(part: Part, group: Group) -> int:
    """1 where the rows of all members are sparse and none mentions feature 0, as keys that count from 1 do not; else 0.
    An exchange."""
    features: Any = part.rows.features
    from_zero = bool(len(part)) and (not part.rows.is_sparse or bool((features.indices == 0).any()))
    return int(total(group, from_zero)[0] == 0 and part.rows.width > 1)


def _mentioned_only(features: Any, width: int) -> Any:
    """Dense rows as sparse ones of that width, which mention what is not missing."""
    present = ~np.isnan(features)
    indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    return sparse.csr_array((features[present], np.nonzero(present)[1], indptr), shape=(len(features), width))


def _targets(rows: Rows, name: str, objective: Objective) -> Targets:
    label = rows.label
    if label is None:
        if len(rows):
            raise UserError(f"Channel '{name}' must have a label in each row; it has none.")
        label = np.empty((0, 1), np.float32)
    wanted = (1, BOUNDS) if objective.name == "survival:aft" else (1,)
    if label.shape[1] not in wanted:
        also = " or 2" if len(wanted) > 1 else ""
        raise UserError(f"Channel '{name}': label_size must be 1{also} for {objective.name}; it is {label.shape[1]}.")
    weight = rows.weight
    if weight is not None and not (np.isfinite(weight).all() and (weight >= 0).all()):
        wrong = weight[~(np.isfinite(weight) & (weight >= 0))][0]
        raise UserError(f"Channel '{name}': weights must be finite numbers at least 0; one is {wrong:g}.")
    own = np.empty(0, np.float32) if weight is None else np.ascontiguousarray(weight, np.float32)
    first = np.ascontiguousarray(label[:, 0], np.float32)
    query = rows.group
    if objective.name != "survival:aft":
        return Targets(first, own, None, query)
    if label.shape[1] == BOUNDS:
        return Targets(first, own, np.ascontiguousarray(label[:, 1], np.float32))
    return Targets(np.abs(first), own, np.where(first < 0, np.float32(np.inf), first))
