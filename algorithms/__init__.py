"""What is computed. A folder with a `train.py` is an algorithm; `contract` says what each is, is given and gives back,
and `shared` holds what several compute with."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from algoport.algorithms.contract.errors import UserError

_HERE = Path(__file__).parent


def folders() -> list[Path]:
    """Where algorithms may lie: this package, and folders that `ALGORITHM_PATH` lists, as a path list.

    A folder that holds `hyperparameters.py` and `train.py` is an algorithm.
    """
    roots = [
        _HERE,
        *(Path(entry) for entry in os.environ.get("ALGORITHM_PATH", "").split(os.pathsep) if entry),
    ]
    return [
        folder
        for root in roots
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if (folder / "hyperparameters.py").is_file() and (folder / "train.py").is_file()
    ]


def names() -> list[str]:
    """The public names of all algorithms, sorted."""
    return sorted(folder.name.replace("_", "-") for folder in folders())


def find(name: str) -> Any:
    """The `ALGORITHM` of that public name; `UserError` with the names there are."""
    return part(name, "").ALGORITHM


def folder(name: str) -> Path:
    """The folder of the algorithm of that public name; `UserError` with the names there are."""
    place = next((each for each in folders() if each.name == name.replace("-", "_")), None)
    if place is None:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"There is no algorithm '{name}'. There are: {', '.join(names())}.{hint}")
    return place


def part(name: str, module: str) -> ModuleType:
    """A module of an algorithm's folder (`train`, `model`, …), imported now; "" is the folder's own."""
    place = folder(name)
    if place.parent != _HERE and str(place.parent) not in __path__:
        __path__.append(str(place.parent))
    dotted = f"{__name__}.{place.name}"
    return importlib.import_module(f"{dotted}.{module}" if module else dotted)


def load_model(name: str, folder: Path) -> Any:
    """The model that lies in a folder; `UserError` where none of this algorithm does, which names the one it is of."""
    from algoport.algorithms.shared.artifact import of_another
    from algoport.algorithms.shared.model_folder import NoModel

    try:
        return part(name, "model").Model.load(folder)
    except NoModel:
        other = next((each for each in names() if each != name and _holds_model(each, folder)), None)
        if other is None:
            raise
    raise of_another(other, name, folder.name)


def _holds_model(name: str, folder: Path) -> bool:
    """Whether the algorithm of that name reads a model there; not where what it needs is not installed."""
    try:
        part(name, "model").Model.load(folder)
    except Exception:  # a folder of somebody else's may be broken; what counts is the fault that led here
        return False
    return True


def optional_part(name: str, module: str) -> ModuleType | None:
    """A module that an algorithm's folder may have (`options`, `wire`), or None where it has none."""
    try:
        return part(name, module)
    except ModuleNotFoundError as error:
        if not (error.name or "").endswith(f".{module}"):
            raise
        return None
