"""The loss of a job: its number in the kernels, its parameter and unit, its name in the log."""

from __future__ import annotations

from dataclasses import dataclass

from algoport.algorithms.linear_learner import kernels
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

_NUMBERS = {
    "logistic": kernels.LOGISTIC,
    "hinge_loss": kernels.HINGE,
    "squared_loss": kernels.SQUARED,
    "absolute_loss": kernels.ABSOLUTE,
    "eps_insensitive_squared_loss": kernels.EPS_SQUARED,
    "eps_insensitive_absolute_loss": kernels.EPS_ABSOLUTE,
    "quantile_loss": kernels.QUANTILE,
    "huber_loss": kernels.HUBER,
    "softmax_loss": kernels.SOFTMAX,
}
_WRITTEN = {
    "logistic": "binary_classification_cross_entropy_objective",
    "squared_loss": "mse_objective",
    "softmax_loss": "multiclass_cross_entropy_objective",
}
_SQUARED = ("squared_loss", "eps_insensitive_squared_loss", "huber_loss")
_LINEAR = ("absolute_loss", "eps_insensitive_absolute_loss", "quantile_loss")


@dataclass(frozen=True)
class Objective:
    """A loss of labels that were divided by a scale."""

    number: int
    parameter: float  # margin, insensitivity, quantile or delta, in the scaled unit
    unit: float  # what the loss of scaled labels is times this is the loss of the labels themselves
    written: str  # "mse_objective"


def objective(settings: Hyperparameters, label_scale: float = 1.0) -> Objective:
    """The loss that the settings ask for. Their lengths are in the unit of the label as the user wrote it: whether
    labels are scaled for training must not change what is minimized."""
    name = settings.objective
    parameter = {
        "hinge_loss": settings.margin,
        "quantile_loss": settings.quantile,
        "huber_loss": settings.huber_delta / label_scale,
        "eps_insensitive_squared_loss": settings.loss_insensitivity / label_scale,
        "eps_insensitive_absolute_loss": settings.loss_insensitivity / label_scale,
    }.get(name, 0.0)
    unit = label_scale**2 if name in _SQUARED else label_scale if name in _LINEAR else 1.0
    return Objective(_NUMBERS[name], float(parameter), float(unit), _WRITTEN.get(name, f"{name}_objective"))
