"""What training leaves: the forest, and what sampling needs to go on.    n rows   d features   r points   t trees"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.randomcutforest import kernels
from algoport.algorithms.randomcutforest.forest import Forest
from algoport.algorithms.randomcutforest.options import Options
from algoport.algorithms.randomcutforest.series import padded_windows
from algoport.algorithms.shared import artifact


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The forest over the sampled points."""

    forest: Forest
    numbers: NDArray[np.int64]  # (r,) which row of the stream each point was
    seen: int  # rows of the stream
    seed: int  # of all its draws
    shingle_size: int = 1
    sampled: int = 0  # points that sampling was asked for

    @property
    def width(self) -> int | None:
        """How many features a row must have; with shingles two widths will do."""
        return self.forest.points.shape[1] if self.shingle_size == 1 else None

    def predict(self, records: Rows, options: Options | None = None) -> Mapping[str, NDArray[Any]]:
        """The score of each record; and its attribution where that is asked for."""
        points = self._points(records.dense())
        asked = "none" if options is None else options.attribution
        columns: dict[str, NDArray[Any]] = {"score": self.scores(points)}
        if asked != "none":
            above, below = (part.astype(np.float32) for part in self._attributed(points))
            directions = {"attribution_above": above, "attribution_below": below}
            columns |= directions if asked == "directions" else {"attribution": above + below}
        return columns

    def scores(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """On the scale of the original: the mean of what the trees say, times log2(points of a tree + 1)."""
        return np.asarray(kernels.scores(_clip(points), self.forest) * self._scale, np.float32)

    def _attributed(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The share (n, d) of each feature in the score, for lying above and for lying below."""
        above, below = kernels.attributions(_clip(points), self.forest)
        return above * self._scale, below * self._scale

    @property
    def _scale(self) -> float:
        return math.log2(self.forest.size + 1)

    def _points(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the forest is asked: rows of readings as shingles."""
        d = self.forest.points.shape[1]
        if self.shingle_size > 1 and rows.shape[1] == d // self.shingle_size:
            return padded_windows(rows, self.shingle_size) if len(rows) else np.empty((0, d), np.float32)
        if rows.shape[1] != d:
            raise UserError(
                f"A record has {rows.shape[1]} features, where this model takes readings of {d // self.shingle_size} "
                f"or shingles of {d}."
            )
        return rows

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        forest = self.forest
        arrays: dict[str, NDArray[Any]] = {
            "points": forest.points,
            "numbers": self.numbers,
            "roots": forest.roots,
            "boxes": forest.boxes,
        }
        arrays |= dict(zip(Forest.NODES, forest.nodes, strict=True))
        artifact.save(folder, arrays, {
            "algorithm": "randomcutforest",
            "num_trees": len(forest.roots),
            "num_samples_per_tree": forest.size,
            "feature_dim": forest.points.shape[1] // self.shingle_size,
            "shingle_size": self.shingle_size,
            "seen": self.seen,
            "seed": self.seed,
            "sampled": self.sampled,
        })  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `UserError` where it is not a forest that can be walked."""
        arrays, facts = artifact.load(artifact.find(folder), "randomcutforest")
        numbers = {name: _whole(facts, name, least) for name, least in FACTS.items()}
        forest = Forest.checked(arrays, numbers["num_samples_per_tree"])
        artifact.check_sizes(facts, num_trees=len(forest.roots))
        known = arrays.get("numbers")
        if known is None or known.shape != (len(forest.points),) or known.dtype != np.int64 or (known < 0).any():
            raise UserError(f"{artifact.ARRAYS}: 'numbers' must be one whole number for each point.")
        if forest.points.shape[1] != numbers["feature_dim"] * numbers["shingle_size"]:
            raise UserError(f"{artifact.FACTS}: feature_dim and shingle_size do not fit the points.")
        return cls(
            forest=forest,
            numbers=known,
            seen=numbers["seen"],
            seed=numbers["seed"],
            shingle_size=numbers["shingle_size"],
            sampled=numbers["sampled"],
        )


# Whole numbers of `model.json`, and the least that each may be.
FACTS = {"num_samples_per_tree": 1, "feature_dim": 1, "shingle_size": 1, "seen": 1, "seed": 0, "sampled": 1}


def _whole(facts: Mapping[str, Any], name: str, least: int) -> int:
    value = facts.get(name)
    if type(value) is not int or not least <= value < 1 << 63:
        raise UserError(f"{artifact.FACTS}: {name} must be a whole number at least {least}; it is {value!r}.")
    return value


def _clip(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is finite and far beyond all points may as well be a little nearer: no sum of distances overflows then."""
    reach = kernels.reach(points)
    if not math.isfinite(reach):
        raise UserError("A record has a missing or infinite value, which has no place in any tree.")
    return points if reach <= kernels.MOST else np.clip(points, -kernels.MOST, kernels.MOST)
