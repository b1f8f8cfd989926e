"""The boosters of the library XGBoost, in its own formats; pickles and its old binary format are left to a model_fn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError

PATTERNS = ("*.ubj", "xgboost-model", "xgboost-model.json")


def load(path: Path) -> Any:
    """The booster of a file."""
    try:
        import xgboost
    except ImportError:
        raise UserError(f"{path.name}: needs the package xgboost, which is not installed.") from None
    content = path.read_bytes()
    if not content.startswith(b"{"):
        raise UserError(f"{path.name}: must be JSON or UBJSON of XGBoost; anything else needs a model_fn.")
    try:
        return xgboost.Booster(model_file=bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise UserError(f"{path.name}: XGBoost cannot read it: {str(error).splitlines()[0]}.") from None


def owns(model: Any) -> bool:
    """Whether it is one; the library is not imported to find out."""
    library = sys.modules.get("xgboost")
    return library is not None and isinstance(model, library.Booster)


def predict(data: Any, model: Any) -> Any:
    """A value, or several, for each row."""
    import xgboost

    return model.predict(xgboost.DMatrix(data))
