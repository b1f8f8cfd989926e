"""What may be set."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.semantic_segmentation.example import HYPERPARAMETERS
from algoport.algorithms.semantic_segmentation.hyperparameters import MOST_SIDE, Hyperparameters


def test_a_crop_that_no_model_could_have_is_refused_before_training() -> None:
    given = {**HYPERPARAMETERS, "base_size": MOST_SIDE}

    assert Hyperparameters.read({**given, "crop_size": MOST_SIDE}).crop == MOST_SIDE
    with pytest.raises(UserError, match=f"^crop_size: must be at most {MOST_SIDE}; it is {MOST_SIDE + 1}"):
        Hyperparameters.read({**given, "crop_size": MOST_SIDE + 1})
