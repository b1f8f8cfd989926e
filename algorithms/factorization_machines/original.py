"""Reads the artifact of the original images: a zip of an MXNet network and its weights.    d features   k factors

What lies in it is public: `symbol.json`, `params` and `meta.json`. A network of sparse rows has `v` (d, k), `w1_weight`
(d, 1) and `w0_weight`; one of dense rows has `v` (k, d), `Linear_Plus_Bias_weight` (1, d) and `Linear_Plus_Bias_bias`.
The predictor type is taken from `meta.json`, else from the network. The file may come from anywhere: every length is
bounded before anything is allocated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import mxnet
from algoport.algorithms.shared.packed import facts_in, unpacked

FILE = "model_algo-1"
_PARAMS, _SYMBOL, _META = "params", "symbol.json", "meta.json"


def load(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays as ours are named, and the predictor type; `UserError` where the file is no such model."""
    params, texts = unpacked(path, _PARAMS, [_SYMBOL, _META])
    content = mxnet.parsed(params, _PARAMS)
    named = {name.rpartition(":")[2]: array for name, array in content.items()} if isinstance(content, dict) else {}
    return _arrays(named), _predictor_type(texts[_META], json.dumps(texts[_SYMBOL]))


def _arrays(named: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    v = named.get("v")
    if v is None or v.ndim != 2 or 0 in v.shape:
        raise UserError(f"{FILE}: '{_PARAMS}' must have an array v of two dimensions, the factors.")
    if "w1_weight" in named or "Linear_Plus_Bias_weight" not in named:
        weights, bias = named.get("w1_weight", np.zeros((len(v), 1), np.float32)), named.get("w0_weight")
    else:
        v, weights, bias = v.T, named["Linear_Plus_Bias_weight"].T, named.get("Linear_Plus_Bias_bias")
    bias = np.zeros(1, np.float32) if bias is None else bias.reshape(-1)
    return {"v": np.ascontiguousarray(v), "w1_weight": np.ascontiguousarray(weights), "w0_weight": bias}


def _predictor_type(meta: Any, symbol: str) -> str:
    """As recorded, else as the network looks."""
    recorded = dict(facts_in(meta)).get("predictor_type")
    if recorded in ("binary_classifier", "regressor"):
        return str(recorded)
    squashed = any(word in symbol for word in ("sigmoid", "LogisticRegressionOutput"))
    return "binary_classifier" if squashed else "regressor"
