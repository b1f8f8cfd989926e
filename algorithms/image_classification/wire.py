"""How image classification's answers look where that is odd: a request has one picture, and its answer no names.

A call gets the bare list of probabilities. Batch transform gets JSON Lines where nobody says otherwise, in which the
list is called `prediction`, as the original has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from algoport.algorithms.contract.wire import AnswerForm, Prediction

BATCH_RESPONSE = "application/jsonlines"
_NAME = "prediction"


def _probabilities(prediction: Prediction) -> Any:
    """Of the only picture."""
    return prediction.columns[_NAME][0]


def _entries(content: Any) -> Sequence[Mapping[str, Any]]:
    return [{_NAME: content}]


ANSWERS = {
    "application/json": AnswerForm(
        content=_probabilities,
        entries=_entries,
        schema={
            "description": "the probability of each class, in the order of their numbers",
            "type": "array",
            "items": {"type": ["number", "null"]},
        },
    )
}
