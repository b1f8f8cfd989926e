"""What PCA leaves: its components, weakest first.    n rows   d features   k components"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.pca import kernels
from algoport.algorithms.pca.moments import Scatter, Sketch, directions
from algoport.algorithms.shared import artifact, mxnet
from algoport.algorithms.shared.arrays import const

# How the original images name their file: an MXNet dict of mean, v and s.
ORIGINAL = "model_algo-1"
# Arrays that only further training needs, and that a server leaves on disk.
MOMENTS = ("triangle", "products")


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The components, and the sums that they come from, where incremental training is possible."""

    mean: NDArray[np.float32]  # (d,) what is taken from rows before they are projected; zeros where nothing is
    components: NDArray[np.float32]  # (d, k) columns, the strongest last
    singular_values: NDArray[np.float32]  # (k,) of the centered rows, ascending
    moments: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    centered: bool = True

    @property
    def width(self) -> int:
        """How many features a row must have."""
        return len(self.mean)

    def predict(self, records: Rows, options: object = None) -> Mapping[str, NDArray[Any]]:
        """The projection (n, k) of each row, the strongest component last, as the original orders them."""
        return {"projection": self.project(records.dense())}

    def project(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows - mean) times the components."""
        projection = np.empty((len(rows), self.components.shape[1]), np.float32)
        kernels.project(const(rows), const(self.mean), self._packed, projection)
        return projection

    @cached_property
    def _packed(self) -> NDArray[np.float32]:
        return const(kernels.pack_components(self.components))

    @property
    def sums(self) -> Scatter | Sketch | None:
        """What incremental training starts from; None in a model of the original, which does not have it."""
        moments = self.moments
        if not moments:
            return None
        count, mean = float(moments["count"][0]), np.asarray(moments["center"])
        if "triangle" in moments:
            return Scatter(count=count, mean=mean, products=_square(np.asarray(moments["triangle"]), self.width))
        products = np.asarray(moments["products"])
        along = directions(self.width, len(products), int(moments["seed"][0]))
        return Sketch(count=count, mean=mean, along=along, products=products, variance=float(moments["variance"][0]))

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; the arrays are named as in the original."""
        arrays = {"mean": self.mean[None], "v": self.components, "s": self.singular_values, **self.moments}
        d, k = self.components.shape
        facts = {"algorithm": "pca", "feature_dim": d, "num_components": k, "subtract_mean": self.centered}
        artifact.save(folder, arrays, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        folder = artifact.find(folder, ORIGINAL)
        if artifact.exists(folder) or not (folder / ORIGINAL).exists():
            arrays, facts = artifact.load(folder, "pca", mapped=MOMENTS)
            centered = facts.get("subtract_mean", True)
            if type(centered) is not bool:
                raise UserError(f"{artifact.FACTS}: subtract_mean must be true or false; it is {str(centered)[:60]!r}.")
            model = cls(**_check_arrays(arrays, artifact.ARRAYS), moments=_moments(arrays), centered=centered)
            model._check_moments()
            artifact.check_sizes(facts, feature_dim=model.width, num_components=model.components.shape[1])
            return model
        original = mxnet.load(folder / ORIGINAL)
        if not isinstance(original, dict):
            raise UserError(f"{ORIGINAL}: must hold arrays named mean, v and s; they have no names.")
        return cls(
            **_check_arrays({name.partition(":")[2] or name: array for name, array in original.items()}, ORIGINAL)
        )

    def _check_moments(self) -> None:
        """`UserError` where the sums do not fit the components. Their numbers are looked at when they are used."""
        shapes = {name: array.shape for name, array in self.moments.items()}
        if not shapes:
            return
        d = self.width
        exact = {"count": (1,), "center": (d,), "triangle": (d * (d + 1) // 2,)}
        drawn = shapes["products"][0] if len(shapes.get("products", ())) == 2 else 0
        random = {"count": (1,), "center": (d,), "seed": (1,), "variance": (1,), "products": (drawn, d)}
        kinds = {array.dtype for array in self.moments.values()}
        if shapes not in (exact, random) or kinds != {np.dtype(np.float64)} or drawn > d:
            raise UserError(f"{artifact.ARRAYS}: the sums to start from do not fit the components.")
        if not self.moments["count"][0] > 0 or not np.isfinite(self.moments["center"]).all():
            raise UserError(f"{artifact.ARRAYS}: 'count' must be above 0 and 'center' finite.")
        if "seed" in shapes and not 0 <= self.moments["seed"][0] < 1 << 53:
            raise UserError(f"{artifact.ARRAYS}: 'seed' must be a whole number.")


def packed_moments(sums: Scatter | Sketch, seed: int) -> dict[str, NDArray[Any]]:
    """The sums as arrays of an artifact; of the symmetric ones a half. `seed`: that of the directions."""
    arrays: dict[str, NDArray[Any]] = {"count": np.array([sums.count]), "center": sums.mean}
    if isinstance(sums, Scatter):
        return arrays | {"triangle": sums.products[np.triu_indices(len(sums.products))]}
    facts = {"seed": np.array([float(seed)]), "variance": np.array([sums.variance])}
    return arrays | facts | {"products": sums.products}


def _square(triangle: NDArray[np.float64], d: int) -> NDArray[np.float64]:
    whole = np.zeros((d, d))
    whole[np.triu_indices(d)] = triangle
    lower = np.tril_indices(d, -1)
    whole[lower] = whole.T[lower]
    return whole


def _moments(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: arrays[name] for name in ("count", "center", "seed", "variance", *MOMENTS) if name in arrays}


def _check_arrays(arrays: Mapping[str, NDArray[Any]], file: str) -> dict[str, Any]:
    """Mean, components and singular values; `UserError` where one is missing or they do not fit."""
    missing = [name for name in ("mean", "v", "s") if name not in arrays]
    if missing:
        raise UserError(f"{file}: has no array '{missing[0]}'.")
    kinds = {arrays[name].dtype for name in ("mean", "v", "s")}
    if any(kind.kind != "f" for kind in kinds):
        raise UserError(f"{file}: mean, v and s must be real numbers; they are {', '.join(map(str, kinds))}.")
    mean, v, s = (np.asarray(arrays[name], np.float32) for name in ("mean", "v", "s"))
    d, k = v.shape if v.ndim == 2 else (0, 0)
    if not d or not k or mean.size != d or s.shape != (k,):
        raise UserError(
            f"{file}: mean, v and s must be (1, d), (d, k) and (k,); their shapes are {mean.shape}, {v.shape} "
            f"and {s.shape}."
        )
    if not all(np.isfinite(array).all() for array in (mean, v, s)):
        raise UserError(f"{file}: mean, v and s must be finite.")
    return {"mean": mean.reshape(d), "components": np.ascontiguousarray(v), "singular_values": s}
