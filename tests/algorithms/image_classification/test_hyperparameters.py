"""What may be set."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.image_classification.example import HYPERPARAMETERS
from algoport.algorithms.image_classification.hyperparameters import MOST_CLASSES, Hyperparameters


def test_classes_that_no_model_could_have_are_refused_before_training() -> None:
    assert Hyperparameters.read({**HYPERPARAMETERS, "num_classes": MOST_CLASSES}).num_classes == MOST_CLASSES
    with pytest.raises(UserError, match=f"^num_classes: must be at most {MOST_CLASSES}; it is {MOST_CLASSES + 1}"):
        Hyperparameters.read({**HYPERPARAMETERS, "num_classes": MOST_CLASSES + 1})
