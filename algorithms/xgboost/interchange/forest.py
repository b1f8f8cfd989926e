"""The trees of the library's model, checked, to and from a forest.    t trees   m nodes   d features   k outputs"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from algoport.algorithms.xgboost.kernels import walks
from algoport.algorithms.xgboost.packed import MOST_CATEGORIES, depths_and_parents
from algoport.algorithms.xgboost.trees import LEAF, NO_PARENT, Forest, Tree

MOST_TREES = 1 << 24
_CATEGORY = 1  # of split_type
_NODES: Mapping[str, tuple[str, DTypeLike]] = {
    "left": ("left_children", np.int32),
    "right": ("right_children", np.int32),
    "feature": ("split_indices", np.int64),
    "threshold": ("split_conditions", np.float32),
    "default_left": ("default_left", np.uint8),
    "gain": ("loss_changes", np.float32),
    "cover": ("sum_hessian", np.float32),
    "weight": ("base_weights", np.float32),
}


class Faulty(Exception):
    """What a file says and where, without the name of the file."""


def forest(model: Mapping[str, Any], drop: Any, d: int, k: int) -> tuple[Forest, int]:
    """The trees of a model, and how many of them a round grows for each output."""
    facts = model.get("gbtree_model_param")
    if not isinstance(facts, Mapping) or not isinstance(model.get("trees"), list):
        raise Faulty("gradient_booster.model must have gbtree_model_param and a list of trees")
    entries = model["trees"]
    t = len(entries)
    group = array(model.get("tree_info", []), np.int32, "tree_info")
    if len(group) != t or (t and not (group.min() >= 0 and group.max() < k)):
        raise Faulty(f"tree_info must name one of {k} outputs for each of {t} trees")
    parallel = max(1, whole(facts.get("num_parallel_tree", 1), "num_parallel_tree", 0, MOST_TREES))
    trees = tuple(_tree(tree, f"tree {i}", d) for i, tree in enumerate(entries))
    factors = None if drop is None else array(drop, np.float32, "weight_drop")
    if factors is not None and (len(factors) != t or not np.isfinite(factors).all()):
        raise Faulty(f"weight_drop must be a finite number for each of {t} trees")
    grown = Forest(trees, group, _rounds(model.get("iteration_indptr"), t, parallel * k), factors)
    return _link_parents(grown, d), parallel


def forest_layout(forest: Forest, d: int, parallel: int) -> dict[str, Any]:
    """The objects that the library writes for these trees."""
    nobody = np.empty(0, np.int32)
    return {
        "cats": {"enc": [], "feature_segments": nobody, "sorted_idx": nobody},
        "gbtree_model_param": {"num_parallel_tree": str(parallel), "num_trees": str(len(forest))},
        "iteration_indptr": [int(first) for first in forest.indptr],
        "tree_info": [int(number) for number in forest.group],
        "trees": [_tree_layout(tree, number, d) for number, tree in enumerate(forest.trees)],
    }


def _tree(entry: Any, place: str, d: int) -> Tree:
    """A tree whose arrays fit each other; who is whose child is checked for all trees together."""
    if not isinstance(entry, Mapping):
        raise Faulty(f"{place} must be an object")
    facts = entry.get("tree_param")
    vector = facts.get("size_leaf_vector", 1) if isinstance(facts, Mapping) else 1
    if whole(vector, f"{place}: size_leaf_vector", 0, 1 << 31) > 1:
        raise Faulty(f"{place} has vectors at its leaves (multi_strategy=multi_output_tree), which are not read")
    nodes = {ours: array(entry.get(theirs), kind, f"{place}: {theirs}") for ours, (theirs, kind) in _NODES.items()}
    m = len(nodes["left"])
    if m == 0 or any(len(values) != m for values in nodes.values()):
        raise Faulty(f"{place} must have as many numbers in each array of its nodes, and at least one")
    split = nodes["left"] != LEAF
    feature = nodes["feature"]
    if (split & ((feature < 0) | (feature >= d))).any():
        # A node that was pruned keeps the highest number; it is cut off when all trees are checked.
        feature = np.where((feature < 0) | (feature >= d), -1, feature)
    nodes["feature"] = np.where(split, feature, 0).astype(np.int32)
    nodes["default_left"] = (nodes["default_left"] != 0).astype(np.uint8)
    return Tree(**nodes, parent=np.full(m, NO_PARENT, np.int32), categories=_categories(entry, place, m))


def _categories(entry: Mapping[str, Any], place: str, m: int) -> dict[int, NDArray[np.int32]]:
    """The categories that go right, of each node that splits by category."""
    kinds = array(entry.get("split_type", []), np.int64, f"{place}: split_type")
    if not kinds.any():
        return {}
    names = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
    values, nodes, starts, sizes = (array(entry.get(name, []), np.int64, f"{place}: {name}") for name in names)
    if len(kinds) != m or not len(nodes) == len(starts) == len(sizes):
        raise Faulty(f"{place}: the arrays of its categories do not fit each other")
    if (sizes < 0).any() or (starts < 0).any() or (starts + sizes > len(values)).any():
        raise Faulty(f"{place}: categories_segments and categories_sizes must lie within categories")
    if len(values) and not (values.min() >= 0 and values.max() < MOST_CATEGORIES):
        raise Faulty(f"{place}: a category must be at least 0 and less than {MOST_CATEGORIES}")
    sets = {
        int(node): np.unique(values[start : start + size]).astype(np.int32)
        for node, start, size in zip(nodes, starts, sizes, strict=True)
    }
    splits = np.flatnonzero(kinds == _CATEGORY)
    if any(int(node) not in sets for node in splits):
        raise Faulty(f"{place}: every node that splits by category must have its categories")
    return {int(node): sets[int(node)] for node in splits}


def _link_parents(forest: Forest, d: int) -> Forest:
    """The forest after every child was found to have one parent. What no root leads to becomes a leaf."""
    if not len(forest):
        return forest
    left, right, feature, threshold = (forest.flat(name) for name in ("left", "right", "feature", "threshold"))
    depth, parent = depths_and_parents(forest.offsets, left, right)
    bad = np.flatnonzero(depth == walks.NO_TREE)
    if len(bad):
        number = int(np.searchsorted(forest.offsets, bad[0], side="right")) - 1
        raise Faulty(f"tree {number}: every child must be a node of the tree and have one parent, the root none")
    lost, leaf = depth == walks.UNREACHED, left == LEAF
    for wrong, sentence in (
        (~leaf & ~lost & (feature < 0), f"splits by a feature that is not among the {d} of num_feature"),
        (~leaf & ~lost & np.isnan(threshold), "splits where its threshold is no number"),
        (leaf & ~lost & ~np.isfinite(threshold), "has a leaf that is no finite number"),
        (~lost & ~np.isfinite(forest.flat("cover")), "has a sum_hessian that is no finite number"),
    ):
        if wrong.any():
            number = int(np.searchsorted(forest.offsets, np.flatnonzero(wrong)[0], side="right")) - 1
            raise Faulty(f"tree {number} {sentence}")
    left[lost], right[lost | leaf], feature[lost], threshold[lost], parent[lost] = LEAF, LEAF, 0, 0, 0
    trees = []
    for tree, begin, end in zip(forest.trees, forest.offsets, forest.offsets[1:], strict=False):
        nodes = {ours: getattr(tree, ours) for ours in _NODES}
        flats = (("left", left), ("right", right), ("feature", feature), ("threshold", threshold))
        nodes |= {ours: flat[begin:end] for ours, flat in flats}
        categories = {node: some for node, some in tree.categories.items() if nodes["left"][node] != LEAF}
        trees.append(Tree(**nodes, parent=parent[begin:end], categories=categories))
    return Forest(tuple(trees), forest.group, forest.indptr, forest.drop)


def _rounds(boundaries: Any, t: int, trees_a_round: int) -> NDArray[np.int32]:
    """Where each round begins; files from before 2.0 do not say it."""
    if boundaries is None:
        return np.append(np.arange(0, t, trees_a_round), t).astype(np.int32)
    indptr = array(boundaries, np.int32, "iteration_indptr")
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != t or (np.diff(indptr) < 0).any():
        raise Faulty(f"iteration_indptr must rise from 0 to the number of trees, {t}")
    return indptr


def _tree_layout(tree: Tree, number: int, d: int) -> dict[str, Any]:
    m = len(tree)
    kinds = np.zeros(m, np.uint8)
    nodes = sorted(tree.categories)
    kinds[nodes] = _CATEGORY
    sets = [tree.categories[node] for node in nodes]
    sizes = np.array([len(some) for some in sets], np.int64)
    return {
        **{theirs: np.ascontiguousarray(getattr(tree, ours), _write(kind)) for ours, (theirs, kind) in _NODES.items()},
        "parents": np.ascontiguousarray(tree.parent, np.int32),
        "categories": np.concatenate([*sets, np.empty(0, np.int32)]).astype(np.int32),
        "categories_nodes": np.array(nodes, np.int32),
        "categories_segments": np.cumsum(sizes) - sizes,
        "categories_sizes": sizes,
        "id": number,
        "split_type": kinds,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(d),
            "num_nodes": str(m),
            "size_leaf_vector": "1",
        },
    }


def _write(kind: DTypeLike) -> DTypeLike:
    return np.int32 if kind is np.int64 else kind


def array(numbers: Any, kind: DTypeLike, place: str) -> NDArray[Any]:
    """One dimension of numbers of that type."""
    if not isinstance(numbers, Sequence | np.ndarray) or isinstance(numbers, str):
        raise Faulty(f"{place} must be a list of numbers; it is {type(numbers).__name__}")
    try:
        values = np.asarray(numbers)
        if len(values) == 0:
            return np.empty(0, kind)
        if values.ndim != 1 or values.dtype.kind not in "iufb":
            raise ValueError
        with np.errstate(invalid="ignore"):
            made = values.astype(kind)
        if np.dtype(kind).kind != "f" and (made != values).any():
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise Faulty(f"{place} must be a list of numbers of the type {np.dtype(kind).name}") from None
    return made


def whole(value: Any, place: str, low: int, high: int) -> int:
    """A whole number within bounds, which the library writes as text."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = low - 1
    if not low <= number <= high:
        raise Faulty(f"{place} must be a whole number from {low} to {high}; it is {str(value)[:40]!r}")
    return number
