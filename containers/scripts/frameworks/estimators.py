"""scikit-learn's estimators, as skops has them: types that are not scikit-learn's or NumPy's own are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError

PATTERNS = ("*.skops",)


def load(path: Path) -> Any:
    """The estimator of a file."""
    try:
        from skops import io
    except ImportError:
        raise UserError(f"{path.name}: needs the package skops, which is not installed.") from None
    strange = io.get_untrusted_types(file=path)
    if strange:
        raise UserError(f"{path.name}: has types that only a model_fn may trust: {', '.join(sorted(strange)[:5])}.")
    return io.load(path, trusted=[])


def owns(model: Any) -> bool:
    """Whether it is one."""
    from sklearn.base import BaseEstimator

    return isinstance(model, BaseEstimator)


def predict(data: Any, model: Any) -> Any:
    """Labels or values."""
    return model.predict(data)
