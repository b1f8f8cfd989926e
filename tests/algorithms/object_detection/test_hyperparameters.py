"""What may be set."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.object_detection import schema
from algoport.algorithms.object_detection.example import HYPERPARAMETERS
from algoport.algorithms.object_detection.hyperparameters import (
    MOST_CLASSES,
    MOST_DETECTIONS,
    MOST_SIDE,
    Hyperparameters,
)


@pytest.mark.parametrize(
    ("name", "most"), [("num_classes", MOST_CLASSES), ("nms_topk", MOST_DETECTIONS), ("image_shape", MOST_SIDE)]
)
def test_what_no_model_could_have_is_refused_before_training(name: str, most: int) -> None:
    """A job would end well, and its model could not be loaded."""
    facts = {**Hyperparameters.read({**HYPERPARAMETERS, name: most}).model_dump(), "epoch": 1}

    assert schema.fields(facts, "model.json")[name] == most
    with pytest.raises(UserError, match=f"^{name}: must be at most {most}; it is {most + 1}"):
        Hyperparameters.read({**HYPERPARAMETERS, name: most + 1})
    with pytest.raises(UserError, match=f"model.json: {name} must be a whole number"):
        schema.fields({**facts, name: most + 1}, "model.json")
