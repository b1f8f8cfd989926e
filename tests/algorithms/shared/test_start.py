"""A model that training starts from must fit the settings."""

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.start import check_alike


def test_every_setting_that_differs_is_named_at_once():
    with pytest.raises(UserError) as caught:
        check_alike(feature_dim=(3, 4), loss=("a", "a"), num_classes=(2, 5))

    assert caught.value.findings == [
        "feature_dim: must be that of the model to start from, 3; it is 4.",
        "num_classes: must be that of the model to start from, 2; it is 5.",
    ]


def test_a_model_that_fits_is_taken():
    check_alike(feature_dim=(3, 3))
