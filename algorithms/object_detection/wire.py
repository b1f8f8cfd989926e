"""How object detection's answers look where that is odd: a request has one picture, and its answer is one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from algoport.algorithms.contract.wire import AnswerForm, Prediction

BATCH_RESPONSE = "application/jsonlines"


def _object(prediction: Prediction) -> Any:
    """Of the only picture."""
    return {name: column[0] for name, column in prediction.columns.items()}


def _entries(content: Any) -> Sequence[Mapping[str, Any]]:
    return [content]


_NUMBER = {"type": "number"}
_SIZE = {"type": "object", "properties": {name: {"type": "integer"} for name in ("width", "height", "depth")}}
_PIXELS = {name: {"type": "integer"} for name in ("class_id", "left", "top", "width", "height")}
ANSWERS = {
    "application/json": AnswerForm(
        content=_object,
        entries=_entries,
        schema={
            "description": "class, score, xmin, ymin, xmax and ymax of each object; with annotation=1 the size of the "
            "picture, and the same in pixels",
            "type": "object",
            "properties": {
                "prediction": {"type": "array", "items": {"type": "array", "items": _NUMBER}},
                "image_size": {"type": "array", "items": _SIZE},
                "annotations": {
                    "type": "array",
                    "items": {"type": "object", "properties": {**_PIXELS, "score": _NUMBER}},
                },
            },
        },
    )
}
