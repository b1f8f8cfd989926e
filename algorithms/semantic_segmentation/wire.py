"""How segmentation's answers look in RecordIO: one record that has the probabilities and their shape as features.

`target` holds 1 x classes x height x width numbers, row by row, and `shape` these four.
"""

from __future__ import annotations

import numpy as np

from algoport.algorithms.contract.wire import AnswerForm, Message, Prediction


def _messages(prediction: Prediction) -> list[Message]:
    return [
        Message(features={"target": np.ravel(each), "shape": np.array([1, *each.shape])})
        for each in prediction.columns["probabilities"]
    ]


ANSWERS = {
    "application/x-recordio-protobuf": AnswerForm(
        content=_messages, entries=lambda content: [], schema={"type": "string", "format": "binary"}
    )
}
