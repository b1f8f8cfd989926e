"""Trees of a boosted model, as the library's own files hold them.    t trees   m nodes   r rounds

Node 0 of a tree is its root. A row goes left where its value is less than the threshold, right where it is not, and
where it has no value as `default_left` says; at a leaf (`left` is -1) the threshold is what the leaf adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_PARENT = 2147483647  # what the library writes as the parent of a root
LEAF = -1


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree. `categories`: where a node splits by category, those that go right, in rising order."""

    left: NDArray[np.int32]  # (m,) -1 at leaves
    right: NDArray[np.int32]  # (m,) -1 at leaves
    parent: NDArray[np.int32]  # (m,) NO_PARENT at the root
    feature: NDArray[np.int32]  # (m,) 0 at leaves
    threshold: NDArray[np.float32]  # (m,) at leaves what they add, the learning rate already in it
    default_left: NDArray[np.uint8]  # (m,)
    gain: NDArray[np.float32]  # (m,) by how much the split lessens the loss; 0 at leaves
    cover: NDArray[np.float32]  # (m,) sum of the Hessians of the training rows that came here
    weight: NDArray[np.float32]  # (m,) what the node would add if it were a leaf
    categories: Mapping[int, NDArray[np.int32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def of_one_leaf(cls, value: float, cover: float = 0.0) -> Tree:
        """The tree that adds `value` to every row."""
        return cls(
            left=np.full(1, LEAF, np.int32),
            right=np.full(1, LEAF, np.int32),
            parent=np.full(1, NO_PARENT, np.int32),
            feature=np.zeros(1, np.int32),
            threshold=np.full(1, value, np.float32),
            default_left=np.zeros(1, np.uint8),
            gain=np.zeros(1, np.float32),
            cover=np.full(1, cover, np.float32),
            weight=np.full(1, value, np.float32),
        )

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """(m,) which nodes are leaves."""
        return np.equal(self.left, LEAF)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees in the order in which they were grown. A round grows `indptr[i]` to `indptr[i + 1]`."""

    trees: Sequence[Tree]
    group: NDArray[np.int32]  # (t,) to which column of the margins a tree adds
    indptr: NDArray[np.int32]  # (r + 1,)
    drop: NDArray[np.float32] | None = None  # (t,) by what the answers of a tree are multiplied, of a dart booster

    def __len__(self) -> int:
        return len(self.trees)

    @property
    def rounds(self) -> int:
        """How many rounds of boosting grew it."""
        return len(self.indptr) - 1

    def plus(self, trees: Sequence[Tree], group: Sequence[int], drop: NDArray[np.float32] | None = None) -> Forest:
        """The forest after one more round; `drop`: the factors of all trees, the new ones included."""
        return Forest(
            trees=(*self.trees, *trees),
            group=np.concatenate([self.group, np.asarray(group, np.int32)]),
            indptr=np.append(self.indptr, np.int32(len(self) + len(trees))).astype(np.int32),
            drop=drop,
        )

    def first(self, rounds: int) -> Forest:
        """The forest as it was after so many rounds."""
        t = int(self.indptr[rounds])
        drop = None if self.drop is None else self.drop[:t]
        return Forest(self.trees[:t], self.group[:t], self.indptr[: rounds + 1], drop)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(t + 1,) where each tree begins in the flat arrays."""
        return np.concatenate([[0], np.cumsum([len(tree) for tree in self.trees], dtype=np.int64)]).astype(np.int64)

    def flat(self, name: str) -> NDArray[Any]:
        """One array of all trees, one tree after another; children and parents are numbered within their tree."""
        parts = [getattr(tree, name) for tree in self.trees]
        empty: NDArray[Any] = getattr(Tree.of_one_leaf(0), name)[:0]
        return np.concatenate([*parts, empty])


def nothing() -> Forest:
    """The forest before the first round."""
    return Forest((), np.empty(0, np.int32), np.zeros(1, np.int32))
