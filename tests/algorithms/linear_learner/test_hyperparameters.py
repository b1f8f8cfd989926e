"""What settings say of each other."""

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters


def test_several_classes_must_be_counted():
    with pytest.raises(UserError, match=r"^num_classes: must be given where predictor_type is multiclass_classifier"):
        Hyperparameters.read({"predictor_type": "multiclass_classifier"})


@pytest.mark.parametrize(
    ("kind", "loss", "allowed"),
    [
        ("binary_classifier", "squared_loss", "auto, logistic, hinge_loss"),
        ("multiclass_classifier", "logistic", "auto, softmax_loss"),
        ("regressor", "softmax_loss", "auto, squared_loss, absolute_loss, eps_insensitive_squared_loss, "),
    ],
)
def test_a_loss_that_does_not_fit_is_reported_with_those_that_do(kind, loss, allowed):
    with pytest.raises(UserError, match=f"^loss: must be one of {allowed}.* where predictor_type is {kind}; it is"):
        Hyperparameters.read({"predictor_type": kind, "num_classes": 3, "loss": loss})


def test_auto_is_the_usual_loss():
    def objective(kind):
        return Hyperparameters.read({"predictor_type": kind, "num_classes": "3"}).objective

    assert objective("binary_classifier") == "logistic"
    assert objective("multiclass_classifier") == "softmax_loss"
    assert objective("regressor") == "squared_loss"


def test_num_classes_is_ignored_where_there_are_two_classes_or_none():
    for kind in ("binary_classifier", "regressor"):
        assert Hyperparameters.read({"predictor_type": kind, "num_classes": "7"}).outputs == 1


def test_booleans_come_in_any_case():
    settings = Hyperparameters.read({"predictor_type": "regressor", "use_bias": "False", "normalize_data": "True"})

    assert (settings.use_bias, settings.normalize_data) == (False, True)
