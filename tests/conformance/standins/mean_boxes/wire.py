"""An answer in JSON is the object of the only picture, as detectors' clients read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from algoport.algorithms.contract.wire import AnswerForm, Prediction


def _object(prediction: Prediction) -> Any:
    columns = prediction.columns
    objects = [{name: columns[name][number] for name in columns} for number in range(len(prediction.records))]
    return objects[0] if len(objects) == 1 else objects


def _entries(content: Any) -> Sequence[Mapping[str, Any]]:
    return content if isinstance(content, list) else [content]


BATCH_RESPONSE = "application/jsonlines"
ANSWERS = {
    "application/json": AnswerForm(content=_object, entries=_entries, schema={"type": ["object", "array"]}),
}
