"""A forest of random cut trees in flat arrays.    r points   d features   t trees   s points a tree   v nodes

Node by node: `feature` that it cuts, -1 of a leaf; `cut`, up to which values go left; `child`, its left one, which
the right one follows; `span`, the sum of the sides of its box; `mass`, how many points are below it; `first` of these
among the points; `box`, which one is its own, -1 where it has so few points that its box is computed from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.randomcutforest import kernels
from algoport.algorithms.shared.artifact import ARRAYS

Array = NDArray[Any]
# A node with fewer points than this keeps no box.
LEAST = 4
# Points that a tree has at least, where it wants as many. More would know too many of the anomalies: with 256 shared
# points a tree the sets wisconsin and passwords had an AUC of .96 and .97 instead of more than .99.
FEW = 8
# Bytes of a node without its box: seven words.
NODE = 28
REAL = ("cut", "span")  # what of a node is a real number; all else is whole
DIMENSIONS = {"points": 2, "boxes": 3}  # of arrays that have more than one


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Trees over the first t * s points, one after another, and in the order of their leaves."""

    points: NDArray[np.float32]  # (r, d)
    size: int  # s
    roots: NDArray[np.int32]  # (t,) their nodes
    feature: NDArray[np.int32]  # (v,) and so all below
    cut: NDArray[np.float32]
    child: NDArray[np.int32]
    span: NDArray[np.float32]
    mass: NDArray[np.int32]
    first: NDArray[np.int32]
    box: NDArray[np.int32]
    boxes: NDArray[np.float32]  # (b, 2, d) highest and lowest values

    NODES: ClassVar = ("feature", "cut", "child", "span", "mass", "first", "box")

    @property
    def nodes(self) -> tuple[Array, ...]:
        """As kernels take them."""
        return self.feature, self.cut, self.child, self.span, self.mass, self.first, self.box

    def described(self, shingle_size: int) -> str:
        """What is logged of it, in the words of the original."""
        counts, depths = np.diff(self.roots, append=len(self.feature)), self._depths()
        facts = {
            "num_trees": len(self.roots),
            "num_samples_in_forest": len(self.roots) * self.size,
            "num_samples_per_tree": self.size,
            "sample_dim": self.points.shape[1],
            "shingle_size": shingle_size,
            "trees_num_nodes": counts.tolist(),
            "trees_depth": depths.tolist(),
            "max_num_nodes": counts.max(),
            "min_num_nodes": counts.min(),
            "avg_num_nodes": int(counts.mean()),
            "max_tree_depth": depths.max(),
            "min_tree_depth": depths.min(),
            "avg_tree_depth": int(depths.mean()),
            "mem_size": sum(array.nbytes for array in (*self.nodes, self.points, self.boxes)),
        }
        return "ForestInfo{" + ", ".join(f"{name}: {value}" for name, value in facts.items()) + "}"

    def _depths(self) -> NDArray[np.int32]:
        """Of each tree, how many cuts lie above its lowest leaf."""
        depth = np.zeros(len(self.feature), np.int32)
        level = self.roots
        while len(level):
            inner = level[self.feature[level] >= 0]
            left = self.child[inner]
            depth[left] = depth[left + 1] = depth[inner] + 1
            level = np.concatenate([left, left + 1])
        return np.asarray(np.maximum.reduceat(depth, self.roots))

    @classmethod
    def checked(cls, arrays: Mapping[str, Array], size: int) -> Self:
        """The forest that lies in these arrays; `UserError` where a walk in it would lead astray."""
        for name in ("points", "boxes", "roots", *cls.NODES):
            wanted = np.float32 if name in (*REAL, "points", "boxes") else np.int32
            if name not in arrays or arrays[name].dtype != wanted or arrays[name].ndim != DIMENSIONS.get(name, 1):
                raise UserError(f"{ARRAYS}: must have an array '{name}' of {np.dtype(wanted)}.")
        forest = cls(size=size, **{name: arrays[name] for name in ("points", "boxes", "roots", *cls.NODES)})
        if not forest._sound():
            raise UserError(f"{ARRAYS}: its arrays are not those of a forest.")
        return forest

    def _sound(self) -> bool:
        """True where no walk leaves the arrays or goes round in circles, and no number is missing."""
        v, (r, d) = len(self.feature), self.points.shape
        if {len(array) for array in self.nodes} != {v} or self.boxes.shape[1:] != (2, d) or not r or not d:
            return False
        t = len(self.roots)
        if not t or t * self.size > r or self.roots[0] != 0:
            return False
        ends = np.append(self.roots[1:], v).astype(np.int64)
        counts = ends - self.roots
        if (counts < 1).any() or (counts > 2 * self.size - 1).any():
            return False
        inner = self.feature >= 0
        parents = np.add.reduceat(inner.astype(np.int64), self.roots)
        if (2 * parents + 1 != counts).any():
            return False
        # Siblings lie side by side in the order of their parents, so that there is but one way to each node.
        rank = np.cumsum(inner) - 1 - np.repeat(np.cumsum(parents) - parents, counts)
        walks = (self.feature < d) & (self.child == np.repeat(self.roots, counts) + 1 + 2 * rank)
        points = (self.mass >= 1) & (self.first >= 0) & (self.first.astype(np.int64) + self.mass <= r)
        boxed = (self.box >= -1) & (self.box < len(self.boxes)) & (inner | (self.box < 0))
        finite = all(np.isfinite(array).all() for array in (self.points, self.boxes, self.cut, self.span))
        return bool((walks | ~inner).all() and points.all() and boxed.all() and finite and (self.span >= 0).all())


def bytes_of(trees: int, size: int, d: int) -> int:
    """About how much memory it takes to grow that many trees of so many points each: the sample, its copy in the
    order of the leaves, and nodes and boxes. Boxes of real trees number about 2 / LEAST for each point."""
    points = trees * size
    return points * (4 * d * 2 + 2 * NODE * 2 + 24) + points * 2 // LEAST * 8 * d


def deal(count: int, trees: int, wanted: int, seed: int) -> tuple[NDArray[np.int64], int]:
    """Which of so many points each tree has, one tree after another, and how many these are; behind them the others.

    Each point goes to one tree. Where that would leave a tree fewer than `FEW`, each draws so many from all points, or
    as many as it wants, and they share some: a tree of a point or two finds every row alike.
    """
    random, size = np.random.default_rng(seed), count // trees
    least = min(FEW, wanted, count)
    if size >= least:
        return random.permutation(count), size
    size = least
    shared = np.concatenate([random.permutation(count)[:size] for _ in range(trees)])
    return np.concatenate([shared, np.setdiff1d(np.arange(count), shared)]), size


def grow(
    points: NDArray[np.float32], dealt: NDArray[np.int64], trees: int, size: int, seed: int
) -> tuple[Forest, NDArray[np.int64]]:
    """A forest over parts of `size` of the points (r, d), as `dealt` (r,) deals them out, one part after another; and
    which of them each of the forest's points is. Those left over stand last."""
    order = dealt.astype(np.int32)
    shape = (trees, 2 * size - 1)
    nodes: dict[str, Array] = {
        name: np.empty(shape, np.float32 if name in REAL else np.int32) for name in Forest.NODES[:-1]
    }
    counts = kernels.grow(points, order[: trees * size], trees, seed, tuple(nodes.values()))
    used = np.arange(shape[1]) < counts[:, None]
    entries: dict[str, Any] = {name: array[used] for name, array in nodes.items()}
    roots = (np.cumsum(counts) - counts).astype(np.int32)
    entries["child"] += np.where(entries["feature"] >= 0, np.repeat(roots, counts), 0).astype(np.int32)
    boxed = (entries["mass"] >= LEAST) & (entries["feature"] >= 0)
    box = np.where(boxed, np.cumsum(boxed) - 1, -1).astype(np.int32)
    ordered = points[order]
    boxes = np.empty((int(boxed.sum()), 2, points.shape[1]), np.float32)
    kernels.enclose(ordered, entries["child"], entries["mass"], entries["first"], box, boxes)
    forest = Forest(points=ordered, size=size, roots=roots, box=box, boxes=boxes, **entries)
    return forest, order.astype(np.int64)
