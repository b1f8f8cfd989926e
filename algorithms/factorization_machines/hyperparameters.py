"""What a user may set for factorization machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real

MOST_FEATURES = (1 << 31) - 1  # features are numbered with 32 bits
TUNED = (1e-8, 512.0)


def _method(what: str) -> Any:
    return choice(
        f"how the {what} is drawn at the start: uniformly within init_scale, normally with init_sigma, or init_value",
        "uniform",
        "normal",
        "constant",
        default="normal",
    )


def _scale(what: str) -> Any:
    return real(f"largest size of the {what} at the start, of init_method uniform", default=None, low=0, tune=TUNED)


def _sigma(what: str, default: float) -> Any:
    meaning = f"standard deviation of the {what} at the start, of init_method normal"
    return real(meaning, default=default, low=0, tune=TUNED)


def _value(what: str) -> Any:
    return real(f"the {what} at the start, of init_method constant", default=None, tune=TUNED)


def _rate(what: str, default: float) -> Any:
    return real(f"learning rate of the {what}", default=default, low=0, tune=TUNED)


def _decay(what: str, default: float) -> Any:
    return real(f"weight decay of the {what}", default=default, low=0, tune=TUNED)


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many features there are; keys count from 0", low=1, role="width")
    num_factors: int = integer("how many factors a feature has", low=1)
    predictor_type: str = choice("what the label is: 0 or 1, or a number", "binary_classifier", "regressor")
    bias_init_method: str = _method("bias")
    bias_init_scale: float | None = _scale("bias")
    bias_init_sigma: float = _sigma("bias", 0.01)
    bias_init_value: float | None = _value("bias")
    bias_lr: float = _rate("bias", 0.1)
    bias_wd: float = _decay("bias", 0.01)
    clip_gradient: float | None = real(
        "bound of each number of a gradient, weight decay included; left out: none", default=None
    )
    epochs: int = integer("passes over the training rows", default=1, low=1, tune=(1, 1000), role="passes")
    eps: float | None = real("what is added to the divisor of a step of Adam; left out: 1e-8", default=None)
    factors_init_method: str = _method("factors")
    factors_init_scale: float | None = _scale("factors")
    factors_init_sigma: float = _sigma("factors", 0.001)
    factors_init_value: float | None = _value("factors")
    factors_lr: float = _rate("factors", 0.0001)
    factors_wd: float = _decay("factors", 0.00001)
    linear_init_method: str = _method("linear weights")
    linear_init_scale: float | None = _scale("linear weights")
    linear_init_sigma: float = _sigma("linear weights", 0.01)
    linear_init_value: float | None = _value("linear weights")
    linear_lr: float = _rate("linear weights", 0.001)
    linear_wd: float = _decay("linear weights", 0.001)
    mini_batch_size: int = integer(
        "rows of a step, of all hosts together", default=1000, low=1, tune=(100, 10000), role="batch"
    )
    rescale_grad: float | None = real(
        "what the sum of a batch's gradients is multiplied by; left out: 1 / the rows of the batch", default=None
    )
    use_bias: bool = boolean("whether there is a bias", default=True)
    use_linear: bool = boolean("whether there are linear weights", default=True)
    batch_metrics_publish_interval: int = integer(
        "batches from one line of a batch's metrics to the next; 0 or less: none", default=500
    )

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.feature_dim > MOST_FEATURES:
            yield f"feature_dim: must be at most {MOST_FEATURES}; it is {self.feature_dim}."
        for part in ("bias", "linear", "factors"):
            method = getattr(self, f"{part}_init_method")
            needed = {"uniform": f"{part}_init_scale", "constant": f"{part}_init_value"}.get(method)
            if needed and getattr(self, needed) is None:
                yield f"{needed}: must be given where {part}_init_method is {method}; it is not."
        if self.clip_gradient is not None and self.clip_gradient <= 0:
            yield f"clip_gradient: must be above 0, or left out for no bound; it is {self.clip_gradient:g}."
        if self.eps is not None and self.eps < 0:
            yield f"eps: must be at least 0; it is {self.eps:g}."

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers, not classes."""
        return self.predictor_type == "regressor"

    def start(self, part: str) -> tuple[str, float]:
        """How the bias, linear weights or factors are drawn: the method, and its scale, sigma or value."""
        method = getattr(self, f"{part}_init_method")
        name = {"uniform": "scale", "normal": "sigma", "constant": "value"}[method]
        return method, float(getattr(self, f"{part}_init_{name}") or 0.0)
