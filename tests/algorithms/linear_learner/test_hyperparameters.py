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


@pytest.mark.parametrize("name", ["num_classes", "margin", "huber_delta"])
def test_what_the_sdk_lets_through_is_passed_over_with_a_note_where_it_changes_nothing(name):
    settings = Hyperparameters.read({"predictor_type": "binary_classifier", name: "1" if name == "num_classes" else 0})

    (notice,) = settings.notices()
    assert notice.startswith(f"{name}: ") and "is passed over, as" in notice and notice.endswith("alone.")


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"predictor_type": "multiclass_classifier", "num_classes": "2"}, "set predictor_type to binary_classifier"),
        ({"predictor_type": "binary_classifier", "loss": "hinge_loss", "margin": "0"}, "must be a number above 0"),
        ({"predictor_type": "regressor", "loss": "huber_loss", "huber_delta": "0"}, "must be a number above 0"),
    ],
)
def test_it_is_refused_where_it_would_count(given, remedy):
    with pytest.raises(UserError, match=remedy):
        Hyperparameters.read(given)


@pytest.mark.parametrize(("written", "meant"), [("f1", "f_beta"), ("cross_entropy_loss", "loss_function")])
def test_criteria_of_the_sdk_are_read(written, meant):
    name = "binary_classifier_model_selection_criteria"
    settings = Hyperparameters.read({"predictor_type": "binary_classifier", name: written})

    assert settings.criterion == meant
    assert settings.criterion_is_chosen is (written == "f1")


def test_f1_and_another_f_beta_contradict_each_other():
    given = {"predictor_type": "binary_classifier", "binary_classifier_model_selection_criteria": "f1", "f_beta": "2"}

    with pytest.raises(UserError, match="f1 is f_beta where that is 1, and f_beta is 2"):
        Hyperparameters.read(given)


# The values that the classes of the SageMaker SDK 2 (2.257) let through, at the edges of what they check.
SDK = {
    "target_recall": (1e-9, 0.999999),
    "target_precision": (1e-9, 0.999999),
    "positive_example_weight_mult": ("auto", "balanced", 0.1),
    "epochs": (1,),
    "use_bias": (True, False),
    "num_models": (1,),
    "num_calibration_samples": (1,),
    "init_method": ("uniform", "normal"),
    "init_scale": (1e-9,),
    "init_sigma": (1e-9,),
    "init_bias": (-1.5,),
    "optimizer": ("sgd", "adam", "rmsprop", "auto"),
    "loss": ("logistic", "hinge_loss", "auto"),
    "wd": (0.0,),
    "l1": (0.0,),
    "momentum": (0.0, 0.999),
    "learning_rate": (1e-9,),
    "beta_1": (0.0, 0.999),
    "beta_2": (0.0, 0.999),
    "bias_lr_mult": (1e-9,),
    "bias_wd_mult": (0.0,),
    "use_lr_scheduler": (True, False),
    "lr_scheduler_step": (1,),
    "lr_scheduler_factor": (1e-9, 0.999),
    "lr_scheduler_minimum_lr": (1e-9,),
    "normalize_data": (True, False),
    "normalize_label": (True, False),
    "unbias_data": (True, False),
    "unbias_label": (True, False),
    "num_point_for_scaler": (1,),
    "margin": (0.0, 1.0),
    "quantile": (1e-9, 0.999),
    "loss_insensitivity": (1e-9,),
    "huber_delta": (0.0, 1.0),
    "early_stopping_patience": (1,),
    "early_stopping_tolerance": (1e-9,),
    "num_classes": (1, 2, 1_000_000),
    "accuracy_top_k": (1, 1_000_000),
    "f_beta": (1e-9,),
    "balance_multiclass_weights": (True, False),
    "binary_classifier_model_selection_criteria": (
        "accuracy",
        "f1",
        "f_beta",
        "precision_at_target_recall",
        "recall_at_target_precision",
        "cross_entropy_loss",
        "loss_function",
    ),
}


@pytest.mark.parametrize("name", SDK)
def test_whatever_the_sdk_lets_through_of_a_binary_classifier_is_read(name):
    for value in SDK[name]:
        Hyperparameters.read({"predictor_type": "binary_classifier", name: str(value)})
