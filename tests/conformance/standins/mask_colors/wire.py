"""In RecordIO, probabilities and their shape are features of one record, as clients of segmentation read them."""

from typing import Any

import numpy as np

from algoport.algorithms.contract.wire import AnswerForm, Message, Prediction


def _messages(prediction: Prediction) -> Any:
    return [
        Message(features={"target": each, "shape": np.array([1, *each.shape])})
        for each in prediction.columns["probabilities"]
    ]


ANSWERS = {
    "application/x-recordio-protobuf": AnswerForm(
        content=_messages, entries=lambda content: content, schema={"type": "string", "format": "binary"}
    )
}
