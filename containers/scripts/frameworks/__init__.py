"""Models that are served without a `model_fn`: a module a framework, which knows its files. No code runs on load: what
only pickle could read is left to a `model_fn` of the user's."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from algoport.algorithms.contract.errors import UserError


def modules() -> list[ModuleType]:
    """Each has PATTERNS of its files, `load(path)`, `owns(model)` and `predict(data, model)`."""
    return [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]


def load(folder: Path, script: str) -> Any:
    """The only model of a folder that a framework knows. `UserError` where there is none, or several."""
    there = {
        path: module for module in modules() for pattern in module.PATTERNS for path in sorted(folder.glob(pattern))
    }
    if len(there) == 1:
        ((path, module),) = there.items()
        return module.load(path)
    names = ", ".join(path.name for path in there) if there else "none"
    known = ", ".join(pattern for module in modules() for pattern in module.PATTERNS)
    raise UserError(
        f"{folder}: must have one file that can be loaded without a model_fn ({known}), or code/inference.py with a "
        f"model_fn; it has {names}, and {script} has no model_fn."
    )


def predict(data: Any, model: Any) -> Any:
    """As the model's framework predicts, or its own `predict`, or as it is called."""
    for module in modules():
        if module.owns(model):
            return module.predict(data, model)
    return model.predict(data) if hasattr(model, "predict") else model(data)
