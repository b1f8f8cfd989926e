"""The files of a model: ours, and those of the original beside them.    n rows   d features   m codes of a row

`model.safetensors` and `model.json` hold everything. `model_algo-1` is the same index as FAISS has it, and
`model_algo-1.labels` float32 numbers, one a row; `model_algo-1.json` has k and predictor_type, which may be edited.
What queries read row by row stays on disk, mapped: all workers of a server share it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError, one_line
from algoport.algorithms.knn import faiss_file, kernels
from algoport.algorithms.knn.index import ENTRIES, Flat, Index, Inverted
from algoport.algorithms.knn.preparation import Preparation, Reduction
from algoport.algorithms.knn.sketch import Sketch
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import single
from algoport.algorithms.shared.model_folder import read_file

ORIGINAL, LABELS, METADATA = "model_algo-1", "model_algo-1.labels", "model_algo-1.json"
MAPPED = ("rows", "codes", "terms", "sketch.panels")
METRICS = ("L2", "INNER_PRODUCT")  # by kernels.SQUARES and PRODUCTS; with `normalize` the latter is COSINE
PREDICTORS = ("classifier", "regressor")
MOST = 1 << 40  # numbers of an array
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Parts:
    """What the files say."""

    index: Index
    labels: NDArray[np.float32]
    numbers: NDArray[np.int64]
    preparation: Preparation
    k: int
    predictor: str
    feature_dim: int
    seen: int
    seed: int
    sample_size: int


def described(index: Index, preparation: Preparation) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of an index and of what queries go through."""
    facts = {
        "index_metric": METRICS[index.metric],
        "normalize": preparation.normalize,
        "indexed_width": preparation.width,
        "dimension_reduction": _reduction(preparation.reduction),
    }
    if isinstance(index, Flat):
        arrays: Arrays = {"rows": index.rows, "offset": index.offset}
        if index.sketch is not None:
            own = index.sketch
            arrays |= {"sketch.offset": own.offset, "sketch.basis": own.basis, "sketch.panels": own.panels}
            arrays |= {"sketch.norms": own.norms[: len(index.rows)]}
        reach = 0.0 if index.sketch is None else index.sketch.reach
        return arrays, {"index_type": "faiss.Flat", "reach": index.reach, "sketch_reach": reach, **facts}
    assert isinstance(index, Inverted)
    arrays = {"centers": index.coarse.rows, "begins": index.begins, "ids": index.ids}
    coded = len(index.books) > 0
    coded_arrays: Arrays = {"codes": index.codes, "books": index.books, "terms": index.terms}
    listed: Arrays = {"rows": index.rows}
    arrays |= coded_arrays if coded else listed
    kind = "faiss.IVFPQ" if coded else "faiss.IVFFlat"
    return arrays, {"index_type": kind, "_faiss_index_nprobe": index.probes, **facts}


def write_original(
    folder: Path,
    index: Index,
    labels: NDArray[np.float32],
    k: int,
    predictor: str,
    preparation: Preparation,
    feature_dim: int,
) -> None:
    """Write the original's three files."""
    artifact.put(folder / ORIGINAL, faiss_file.written(index))
    artifact.put(folder / LABELS, np.ascontiguousarray(labels, "<f4").tobytes())
    facts = {
        "k": k,
        "predictor_type": predictor,
        "dimension_reduction": _reduction(preparation.reduction),
        "normalize": preparation.normalize,
        "feature_dim": feature_dim,
        "version": "1.0",
    }
    artifact.put(folder / METADATA, json.dumps(facts, indent=1).encode())


def _reduction(reduction: Reduction | None) -> dict[str, Any] | None:
    if reduction is None:
        return None
    return {
        "type": reduction.kind,
        "seed": reduction.seed,
        "target_dim": reduction.target,
        "input_dim": reduction.input,
    }


def load(folder: Path) -> Parts:
    """What the files of a folder say; `UserError` names the file and what is wrong with it."""
    folder = artifact.find(folder, ORIGINAL)
    if not artifact.exists(folder) and (folder / ORIGINAL).exists():
        return _load_original(folder)
    arrays, facts = artifact.load(folder, "knn", mapped=MAPPED)
    changed = _metadata(folder) if (folder / METADATA).is_file() else {}
    facts = {**facts, **{name: changed[name] for name in ("k", "predictor_type") if name in changed}}
    numbers = {name: _whole(facts, name, least) for name, least in WHOLE.items()}
    index = _index(arrays, facts, numbers["feature_dim"])
    n = index.size
    labels = single(arrays, "labels", (n,), f"{n} finite numbers", file=artifact.ARRAYS)
    return Parts(
        index=index,
        labels=labels,
        numbers=_ids(arrays, "numbers", n),
        preparation=_preparation(facts, index, numbers["feature_dim"], artifact.FACTS),
        predictor=_predictor(facts),
        **{**numbers, "k": _neighbors(facts, n)},
    )


# Whole numbers of `model.json`, and the least that each may be.
WHOLE = {"k": 1, "feature_dim": 1, "seen": 1, "seed": 0, "sample_size": 1}


def _load_original(folder: Path) -> Parts:
    """The index, labels and metadata of an original image."""
    facts = _metadata(folder)
    if facts.get("dimension_reduction"):
        raise UserError(
            f"{METADATA}: must have no dimension_reduction, as the matrix that the original draws from its seed is not "
            "known; train the model again."
        )
    index = faiss_file.read(memoryview(read_file(folder / ORIGINAL)), ORIGINAL)
    raw = read_file(folder / LABELS)
    if raw[:6] == b"\x93NUMPY":
        raw = raw[10 + int.from_bytes(raw[8:10], "little") :]
    if len(raw) != 4 * index.size:
        raise UserError(f"{LABELS}: must hold {index.size} float32 numbers, one a row; it has {len(raw)} bytes.")
    labels = single({"labels": np.frombuffer(raw, "<f4")}, "labels", 1, "finite numbers", file=LABELS)
    feature_dim = facts.get("feature_dim", index.width)
    if type(feature_dim) is not int or not 0 < feature_dim < MOST:
        raise UserError(f"{METADATA}: feature_dim must be a whole number above 0; it is {_short(feature_dim)}.")
    return Parts(
        index=index,
        labels=labels,
        numbers=np.arange(index.size),
        preparation=_preparation({**facts, "indexed_width": index.width}, index, feature_dim, METADATA),
        k=_neighbors(facts, index.size, METADATA),
        predictor=_predictor(facts, METADATA),
        feature_dim=feature_dim,
        seen=index.size,
        seed=0,
        sample_size=index.size,
    )


def _metadata(folder: Path) -> dict[str, Any]:
    """What the file says; Python's words for true, false and null are read too, as the original's page prints them."""
    try:
        text = read_file(folder / METADATA).decode()
    except FileNotFoundError:
        raise UserError(f"{METADATA}: is missing beside {ORIGINAL}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{METADATA}: must be JSON; it is not text.") from None
    words = {"True": "true", "False": "false", "None": "null"}
    for form in (text, re.sub(r"\b(True|False|None)\b", lambda match: words[match[0]], text).replace("'", '"')):
        try:
            facts = json.loads(form)
        except (ValueError, RecursionError):
            continue
        if isinstance(facts, dict):
            return facts
    raise UserError(f"{METADATA}: must be a JSON object with k and predictor_type.")


def _index(arrays: Arrays, facts: Mapping[str, Any], feature_dim: int) -> Index:
    kind, name = facts.get("index_type"), facts.get("index_metric")
    if name not in METRICS:
        raise UserError(f"{artifact.FACTS}: index_metric must be one of {', '.join(METRICS)}; it is {_short(name)}.")
    metric = METRICS.index(str(name))
    if kind == "faiss.Flat":
        rows = _lying(arrays, "rows", np.float32, 2)
        offset = single(arrays, "offset", (rows.shape[1],), "a finite number a feature", file=artifact.ARRAYS)
        return Flat(rows, metric, offset, _length(facts, "reach"), _sketch(arrays, facts, rows))
    if kind not in ("faiss.IVFFlat", "faiss.IVFPQ"):
        raise UserError(f"{artifact.FACTS}: index_type must be one that there is; it is {_short(kind)}.")
    centers = single(arrays, "centers", 2, "a matrix of finite numbers", file=artifact.ARRAYS)
    lists, d = centers.shape
    begins = arrays.get("begins")
    if begins is None or begins.dtype != np.int64 or begins.shape != (lists + 1,) or begins[0] != 0:
        raise UserError(f"{artifact.ARRAYS}: 'begins' must be {lists + 1} whole numbers from 0.")
    n = int(begins[-1])
    if (np.diff(begins) < 0).any() or not 0 < n < MOST:
        raise UserError(f"{artifact.ARRAYS}: 'begins' must not fall, and end above 0.")
    ids = _ids(arrays, "ids", n)
    if not np.array_equal(np.sort(ids), np.arange(n)):
        raise UserError(f"{artifact.ARRAYS}: 'ids' must be each number from 0 to {n - 1} once.")
    rows, codes, books = np.empty((0, d), np.float32), np.empty((0, 0), np.uint8), np.empty((0, ENTRIES, 0), np.float32)
    terms = None
    if kind == "faiss.IVFFlat":
        rows = _lying(arrays, "rows", np.float32, 2)
    else:
        codes = _lying(arrays, "codes", np.uint8, 2)
        m = codes.shape[1]
        if d % m:
            raise UserError(f"{artifact.ARRAYS}: 'codes' must be as many a row as divide {d}; they are {m}.")
        terms = _lying(arrays, "terms", np.float32, 1)
        if metric or terms.shape != (n,):
            raise UserError(f"{artifact.ARRAYS}: 'terms' must be {n} numbers, and index_metric L2.")
        books = single(arrays, "books", (m, ENTRIES, d // m), "finite numbers", file=artifact.ARRAYS)
    data = codes if len(books) else rows
    if len(data) != n or (not len(books) and data.shape[1] != d):
        raise UserError(f"{artifact.ARRAYS}: the shapes of the rows, centers and lists do not fit.")
    probes = _whole(facts, "_faiss_index_nprobe", 1)
    return Inverted.of(centers, begins, ids, rows, codes, books, metric, min(probes, lists), terms)


def _sketch(arrays: Arrays, facts: Mapping[str, Any], rows: NDArray[np.float32]) -> Sketch | None:
    if "sketch.panels" not in arrays:
        return None
    n, d = rows.shape
    basis = single(arrays, "sketch.basis", 2, "a matrix of finite numbers", file=artifact.ARRAYS)
    m, count = basis.shape[1], -(-n // kernels.STORED)
    offset = single(arrays, "sketch.offset", (d,), f"{d} finite numbers", file=artifact.ARRAYS)
    own = single(arrays, "sketch.norms", (n,), f"{n} finite numbers", file=artifact.ARRAYS)
    panels = _lying(arrays, "sketch.panels", np.uint16, 3)
    if len(basis) != d or panels.shape != (count, m + 2, kernels.STORED):
        raise UserError(f"{artifact.ARRAYS}: the shapes of the sketch do not fit the rows.")
    norms = np.full(count * kernels.STORED, np.inf, np.float32)  # no row behind the last is ever near
    norms[:n] = own
    wide = basis.astype(np.float64)
    return Sketch(offset, _length(facts, "sketch_reach"), basis, wide.T @ wide, panels, norms)


def _lying(arrays: Arrays, name: str, kind: Any, axes: int) -> NDArray[Any]:
    """An array where it lies. Its numbers are not looked at: what is not finite is never near."""
    array = arrays.get(name)
    if array is None or array.dtype != kind or array.ndim != axes or 0 in array.shape or array.size >= MOST:
        shape = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise UserError(f"{artifact.ARRAYS}: '{name}' must be {np.dtype(kind)} with {axes} axes; it is {shape}.")
    return array


def _ids(arrays: Arrays, name: str, n: int) -> NDArray[np.int64]:
    ids = arrays.get(name)
    if ids is None or ids.shape != (n,) or ids.dtype != np.int64 or (ids < 0).any():
        raise UserError(f"{artifact.ARRAYS}: '{name}' must be {n} whole numbers, and not negative.")
    return ids


def _preparation(facts: Mapping[str, Any], index: Index, feature_dim: int, file: str) -> Preparation:
    normalize, given = facts.get("normalize", False), facts.get("dimension_reduction")
    if type(normalize) is not bool or facts.get("indexed_width") != index.width:
        raise UserError(f"{file}: normalize must be true or false, and indexed_width {index.width}, as the index is.")
    if given in (None, {}) or (isinstance(given, dict) and not given.get("type")):
        if feature_dim > index.width:
            raise UserError(f"{file}: feature_dim must be at most {index.width}, as the index is; it is {feature_dim}.")
        return Preparation(None, normalize, index.width)
    if not isinstance(given, dict) or given.get("type") not in ("sign", "fjlt"):
        raise UserError(f"{file}: dimension_reduction must have the type sign or fjlt; it is {_short(given)}.")
    seed, target, wide = given.get("seed"), given.get("target_dim"), given.get("input_dim")
    if type(seed) is not int or not 0 <= seed < 1 << 63 or target != index.width or wide != feature_dim:
        raise UserError(
            f"{file}: dimension_reduction must have a seed, target_dim {index.width} and input_dim {feature_dim}; it "
            f"is {_short(given)}."
        )
    return Preparation(Reduction(given["type"], seed, feature_dim, index.width), normalize, index.width)


def _neighbors(facts: Mapping[str, Any], n: int, file: str = METADATA) -> int:
    k = _whole(facts, "k", 1, file)
    if k > n:
        raise UserError(f"{file}: k must be at most the {n} rows of the index; it is {k}.")
    return k


def _predictor(facts: Mapping[str, Any], file: str = METADATA) -> str:
    predictor = facts.get("predictor_type")
    if predictor not in PREDICTORS:
        raise UserError(f"{file}: predictor_type must be classifier or regressor; it is {_short(predictor)}.")
    return str(predictor)


def _whole(facts: Mapping[str, Any], name: str, least: int, file: str = artifact.FACTS) -> int:
    value = facts.get(name)
    if type(value) is not int or not least <= value < 1 << 63:
        raise UserError(f"{file}: {name} must be a whole number at least {least}; it is {_short(value)}.")
    return value


def _length(facts: Mapping[str, Any], name: str) -> float:
    value = facts.get(name)
    if not isinstance(value, float) or not 0 <= value < np.inf:
        raise UserError(f"{artifact.FACTS}: {name} must be a number, and not negative; it is {_short(value)}.")
    return value


def _short(value: object) -> str:
    return one_line(repr(value), 60)
