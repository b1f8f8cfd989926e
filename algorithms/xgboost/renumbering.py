"""Wide sparse rows by the features that they mention.    n rows   d features   u features that some row mentions

Keys of hashed features lie anywhere below 2^31. What a job takes of memory and time must follow what its rows mention
and not their largest key, so trees are grown on the u features that some row mentions, numbered anew in their order,
and the booster gets the features' own numbers back when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.data import Part
from algoport.algorithms.xgboost.trees import Forest, Tree

Longs = NDArray[np.int64]

WIDE = 1 << 16  # features up to which rows keep their numbers: a feature that no row mentions costs some hundred bytes
MOST_WEIGHTS = 1 << 26  # numbers that a linear booster may have: it writes one for every feature, mentioned or not


@dataclass(frozen=True, eq=False)
class Renumbering:
    """The features that rows are trained by."""

    width: int  # d
    features: Longs  # (u,) their own numbers, rising

    @classmethod
    def of(cls, parts: Mapping[str, Part], start: Booster | None, group: Group) -> Renumbering | None:
        """By the features that rows of any member mention, or the model to start from; None where all do, or where
        rows are not wide. An exchange where they are."""
        width = next(part.rows.width for part in parts.values())
        if width <= WIDE:
            return None
        mine = [_mentioned(part.rows.features) for part in parts.values()]
        features = np.unique(np.concatenate(group.gather(np.unique(np.concatenate([*mine, _used(start)])))))
        return None if len(features) == width else cls(width, features)

    def __len__(self) -> int:
        return len(self.features)

    def place(self, features: Any) -> Longs:
        """Where features stand among those that are mentioned, as all of them are."""
        return np.asarray(np.searchsorted(self.features, features), np.int64)

    def narrow(self, part: Part) -> Part:
        """The rows by the new numbers."""
        features: Any = part.rows.features
        if part.rows.is_sparse:
            triple = features.data, self.place(features.indices), features.indptr
            narrow: Any = sparse.csr_array(triple, shape=(len(part), len(self)))
        else:
            narrow = features[:, self.features]
        return Part(replace(part.rows, features=narrow), part.targets)

    def narrow_booster(self, booster: Booster) -> Booster:
        """A booster by the new numbers, which knows no names."""
        linear = booster.linear
        if linear is not None:
            linear = np.zeros((len(self) + 1, linear.shape[1]), np.float32)
            linear[self.place(_used(booster))] = booster.linear[_used(booster)]  # type: ignore[index]
            linear[-1] = booster.linear[-1]  # type: ignore[index]
        forest = _renamed(booster.forest, self.place)
        return replace(booster, forest=forest, linear=linear, num_feature=len(self), feature_names=(), feature_types=())

    def widen_booster(self, booster: Booster) -> Booster:
        """The booster by the features' own numbers."""
        linear = booster.linear
        if linear is not None:
            linear = np.zeros((self.width + 1, linear.shape[1]), np.float32)
            linear[np.append(self.features, self.width)] = booster.linear
        forest = _renamed(booster.forest, lambda numbers: self.features[numbers])
        return replace(booster, forest=forest, linear=linear, num_feature=self.width)


def check_weights(width: int, outputs: int) -> None:
    """`UserError` where a linear booster would have more weights than its file may hold."""
    if (width + 1) * outputs > MOST_WEIGHTS:
        raise UserError(
            f"booster: gblinear writes a weight for each of the {width} features and each of {outputs} outputs, and at "
            f"most {MOST_WEIGHTS:,} may be written; take gbtree, or hash features to smaller keys."
        )


def _mentioned(features: Any) -> Longs:
    """The features that rows mention; of dense rows all."""
    if not sparse.issparse(features):
        return np.arange(features.shape[1] if len(features) else 0)
    return np.unique(features.indices).astype(np.int64)


def _used(booster: Booster | None) -> Longs:
    """The features that a booster splits by, or has weights of."""
    if booster is None:
        return np.empty(0, np.int64)
    if booster.linear is not None:
        return np.flatnonzero(booster.linear[:-1].any(axis=1))
    return np.unique(booster.forest.flat("feature")[booster.forest.flat("left") >= 0]).astype(np.int64)


def _renamed(forest: Forest, name: Any) -> Forest:
    """The forest with other numbers of the features by which its nodes split."""

    def renamed(tree: Tree) -> Tree:
        inner, feature = ~tree.is_leaf, np.zeros(len(tree), np.int32)
        feature[inner] = name(tree.feature[inner])
        return replace(tree, feature=feature)

    return replace(forest, trees=tuple(renamed(tree) for tree in forest.trees))
