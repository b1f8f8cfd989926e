"""Rows in the JSON of other servers' clients: a list of rows, as scikit-learn's users send it; pandas' and MLflow's
`dataframe_split`; MLflow's `inputs`; tensors of the Open Inference Protocol, version 2, of KServe and Triton."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from algoport.training.formats.layout import Layout, excerpt, shown_json

_SPLIT, _RECORDS, _INPUTS = "dataframe_split", "dataframe_records", "inputs"
_NUMBERS = {"BOOL", "FP16", "FP32", "FP64", "BF16"}


def rows_of(body: Any, layout: Layout) -> Sequence[Any] | None:
    """The rows of a parsed body, each a list or an instance; None where it is none of these, and UserError where it is
    one that cannot be read."""
    if isinstance(body, list):
        return _bare(body, "", layout)
    if not isinstance(body, Mapping) or "instances" in body:
        return None
    if _SPLIT in body or ("columns" in body and "data" in body):
        return _split(body.get(_SPLIT, body), layout)
    if _RECORDS in body:
        return _nameless(f'"{_RECORDS}"', layout)
    return _inputs(body[_INPUTS], layout) if _INPUTS in body else None


def _bare(values: list[Any], name: str, layout: Layout) -> list[Any]:
    """A list of rows."""
    if values and not all(isinstance(row, list | dict) for row in values):
        raise layout.fault(name, f"must be a list of rows, such as [[1.5, 2], [3, 4]]; it is {shown_json(values)}.")
    return values


def _split(table: Any, layout: Layout) -> list[Any]:
    """The rows of a table whose columns' names are not looked at: a model knows only their order."""
    data = table.get("data") if isinstance(table, Mapping) else None
    if not isinstance(data, list):
        raise layout.fault("", f'"{_SPLIT}" must have a list "data": {{"columns": ["a", "b"], "data": [[1.5, 2]]}}.')
    columns = table.get("columns")
    if isinstance(columns, list):
        for number, row in enumerate(data, 1):
            if isinstance(row, list) and len(row) != len(columns):
                raise layout.fault(
                    f"instance {number}", f"has {len(row)} numbers, where {len(columns)} columns are named."
                )
    return _bare(data, "data", layout)


def _nameless(name: str, layout: Layout) -> list[Any]:
    raise layout.fault(
        "",
        f"{name} names the columns of each row, and this model knows only their order: send rows of numbers, as "
        f'"{_SPLIT}" has them, or {{"instances": [{{"features": [1.5, 2]}}]}}.',
    )


def _inputs(inputs: Any, layout: Layout) -> list[Any]:
    if isinstance(inputs, Mapping):
        return _nameless(f'"{_INPUTS}" with an object', layout)
    if not isinstance(inputs, list):
        raise layout.fault("", f'"{_INPUTS}" must be a list of rows, or of one tensor; it is {shown_json(inputs)}.')
    tensors = [entry for entry in inputs if isinstance(entry, Mapping) and "datatype" in entry]
    if not tensors:
        return _bare(inputs, _INPUTS, layout)
    if len(inputs) != 1:
        sentence = f"must hold one tensor with the features of all rows; it holds {len(inputs)}"
        raise layout.fault("", f'"{_INPUTS}" {sentence}.')
    return _tensor(tensors[0], layout)


def _tensor(tensor: Mapping[str, Any], layout: Layout) -> list[Any]:
    """The rows of a tensor of version 2, whose numbers may be nested by its shape or not."""
    name = f"tensor {excerpt(tensor.get('name'), 40)}"
    kind, shape, data = str(tensor.get("datatype")), tensor.get("shape"), tensor.get("data")
    if kind not in _NUMBERS and not kind.startswith(("INT", "UINT")):
        raise layout.fault("", f"{name} must have a datatype of numbers, such as FP32; it is {excerpt(kind)}.")
    if not isinstance(shape, list) or not 0 < len(shape) < 9 or any(type(n) is not int or n < 0 for n in shape):
        raise layout.fault("", f'{name} must have a "shape" such as [2, 4]; it is {shown_json(shape)}.')
    if not all(shape[1:]):
        raise layout.fault("", f"{name} has rows without features: its shape is {shape}.")
    if not isinstance(data, list):
        sentence = 'must have its numbers as a list "data"; binary data is not read'
        raise layout.fault("", f"{name} {sentence}.")
    flat = data
    for level, extent in enumerate(shape[1:], 1):
        if flat and all(isinstance(entry, list) for entry in flat):
            if {len(entry) for entry in flat} != {extent} or len(flat) != math.prod(shape[:level]):
                raise layout.fault("", f"{name}: its lists within lists are not as its shape {shape} says.")
            flat = [number for entry in flat for number in entry]
    if len(flat) != math.prod(shape):
        raise layout.fault("", f"{name} has {len(flat)} numbers, where its shape {shape} says {math.prod(shape)}.")
    if kind == "BOOL":
        flat = [int(entry) if isinstance(entry, bool) else entry for entry in flat]
    count = shape[0] if len(shape) > 1 else 1
    width = len(flat) // count if count else 0
    return [flat[start : start + width] for start in range(0, count * width, width)] if width else []
