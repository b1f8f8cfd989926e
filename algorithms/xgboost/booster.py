"""A boosted model as data, and what it answers before the objective's last step.

n rows   d features   k outputs (classes, targets or 1)   t trees
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.kernels import contributions, linear_margins
from algoport.algorithms.xgboost.packed import PackedTrees, pack
from algoport.algorithms.xgboost.trees import Forest, nothing

Kind = Literal["gbtree", "dart", "gblinear"]
VERSION = (3, 2, 0)  # of the library whose files are written
MOST = 1 << 27  # numbers of contributions that are made at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Booster:
    """All that the library's model file says. Frozen; knows nothing of how it was trained."""

    objective: str
    num_feature: int
    base_score: NDArray[np.float32]  # (k,) or (1,), in the units of the answer: a probability for binary:logistic
    kind: Kind = "gbtree"
    forest: Forest = field(default_factory=nothing)
    linear: NDArray[np.float32] | None = None  # (d + 1, k) of gblinear; the last row is the bias
    objective_facts: Mapping[str, Any] = field(default_factory=dict)  # {"reg_loss_param": {"scale_pos_weight": "1"}}
    num_class: int = 0
    num_target: int = 1
    num_parallel_tree: int = 1
    linear_rounds: int = 0  # how many rounds of boosting gblinear has had
    attributes: Mapping[str, str] = field(default_factory=dict)  # best_iteration, best_score
    feature_names: tuple[str, ...] = ()
    feature_types: tuple[str, ...] = ()
    version: tuple[int, int, int] = VERSION

    @property
    def outputs(self) -> int:
        """How many margins a row has."""
        return max(1, self.num_class, self.num_target)

    @property
    def rounds(self) -> int:
        """How many rounds of boosting it has had."""
        return self.linear_rounds if self.kind == "gblinear" else self.forest.rounds

    @property
    def best_iteration(self) -> int | None:
        """The round, counted from 0, that early stopping found best; None where it did not watch."""
        text = self.attributes.get("best_iteration", "")
        return int(text) if text.isdecimal() and len(text) < 10 else None

    @property
    def used(self) -> int:
        """How many rounds answer: up to the best one, or all."""
        best = self.best_iteration
        return self.rounds if best is None or self.kind == "gblinear" else min(best + 1, self.rounds)

    @cached_property
    def base_margin(self) -> NDArray[np.float32]:
        """(k,) the margins of a row before the first tree."""
        return np.ascontiguousarray(np.broadcast_to(base_margin(self.objective, self.base_score), self.outputs))

    @property
    def _linear_base(self) -> NDArray[np.float32]:
        """(k,) the same for every output: of base scores that differ the library's gblinear reads the first only."""
        return np.full(self.outputs, self.base_margin[0], np.float32)

    def with_attributes(self, **attributes: str) -> Booster:
        """The same with these attributes set."""
        return replace(self, attributes={**self.attributes, **attributes})

    def margin(self, rows: Rows, rounds: int | None = None) -> NDArray[np.float32]:
        """(n, k) the sum of what the trees of the first `rounds` add, `used` where it is not said.

        float32, in the library's order. A value that is NaN is missing, and so is one that sparse rows do not mention.
        """
        if self.kind == "gblinear":
            assert self.linear is not None
            return linear_margins.margins(rows.features, self.linear, self._linear_base)
        return self.packed.margins(rows.features, self.base_margin, self._trees(rounds))

    def leaves(self, rows: Rows, rounds: int | None = None) -> NDArray[np.int32]:
        """(n, t) the number of the leaf, within its tree, that each row comes to."""
        return self.packed.leaves(rows.features, self._trees(rounds))

    def contributions(self, rows: Rows, rounds: int | None = None, *, approximate: bool = False) -> NDArray[np.float32]:
        """(n, k, d + 1) what each feature adds to the margins, and last the bias; a row's sum is its margin.

        Shapley values of the trees (Lundberg et al. 2018), or, where `approximate`, what each split on the way of
        the row changes (Saabas 2014).
        """
        shape = (self.outputs, self.num_feature + 1)
        most = MOST // (shape[0] * shape[1])
        if most == 0:
            raise UserError(f"contributions: must not be asked of a model of {self.num_feature} features: too many.")
        if len(rows) > most:
            raise UserError(f"contributions: must be asked of at most {most} rows at a time; there are {len(rows)}.")
        if self.kind == "gblinear":
            assert self.linear is not None
            return linear_margins.contributions(rows.features, self.linear, self._linear_base)
        if any(tree.categories for tree in self.forest.trees):
            raise UserError("contributions: must not be asked of a model whose trees split by category.")
        find = contributions.approximate if approximate else contributions.shapley
        return find(rows.features, self.packed, self.base_margin, self._trees(rounds), shape)

    @cached_property
    def packed(self) -> PackedTrees:
        """The trees as the kernels read them."""
        flat = self.forest.flat
        return pack(
            offsets=self.forest.offsets,
            left=flat("left"),
            right=flat("right"),
            feature=flat("feature"),
            threshold=flat("threshold"),
            default_left=flat("default_left"),
            cover=flat("cover"),
            group=self.forest.group,
            factor=self.forest.drop,
            categories=[tree.categories for tree in self.forest.trees],
        )

    def _trees(self, rounds: int | None) -> int:
        """How many trees the first rounds have grown."""
        return int(self.forest.indptr[self.used if rounds is None else rounds])


def base_margin(objective: str, base_score: NDArray[np.float32]) -> NDArray[np.float32]:
    """The margins at which boosting starts; their units are those to which trees add."""
    score = np.asarray(base_score, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        if objective in links.LOGISTIC:
            # Rounded where the library rounds, so that margins agree to the last bit.
            return (-np.log((np.float32(1) / score - np.float32(1)).astype(np.float64))).astype(np.float32)
        if objective in links.LOG:
            return np.log(score.astype(np.float64)).astype(np.float32)
    return score
