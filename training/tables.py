"""Tables and figures that a job leaves in `output/data`."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.shared.artifact import put


def write(folder: Path, name: str, what: Any) -> Path:
    """Write one file, whole or not at all.

    Text and bytes are written as they are; a figure of matplotlib as a picture of the kind that the name ends in; a
    mapping of columns, or an array, as CSV where the name ends so or says nothing; anything else as JSON, in which
    what is not a number is null.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if hasattr(what, "savefig"):
        picture = io.BytesIO()
        what.savefig(picture, format=path.suffix[1:])
        what = picture.getvalue()
    put(path, what if isinstance(what, bytes) else _text(path, what).encode())
    return path


def _text(path: Path, what: Any) -> str:
    if isinstance(what, str):
        return what
    if isinstance(what, np.ndarray):
        return _csv([], np.atleast_2d(what).tolist())
    if isinstance(what, Mapping) and path.suffix != ".json" and _is_table(what):
        return _csv(list(what), zip(*(np.asarray(column, object).tolist() for column in what.values()), strict=True))
    return json.dumps(_plain(what), indent=1) + "\n"


def _is_table(what: Mapping[str, Any]) -> bool:
    return all(hasattr(column, "__len__") and not isinstance(column, str) for column in what.values())


def _csv(names: list[str], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
