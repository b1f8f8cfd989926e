"""What a user may set for the linear learner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from algoport.algorithms.contract import dialects
from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real, text

Auto = Literal["auto"]

# The losses that suit each kind of target; the first is what auto stands for.
LOSSES = {
    "regressor": (
        "squared_loss",
        "absolute_loss",
        "eps_insensitive_squared_loss",
        "eps_insensitive_absolute_loss",
        "quantile_loss",
        "huber_loss",
    ),
    "binary_classifier": ("logistic", "hinge_loss"),
    "multiclass_classifier": ("softmax_loss",),
}
# Names that the class of the SageMaker SDK 2 allows for a criterion, and what they mean.
CRITERIA = {"f1": "f_beta", "cross_entropy_loss": "loss_function"}


class Hyperparameters(Settings):
    """The settings of one job."""

    predictor_type: str = choice(
        "what the label is: one of two classes, one of several, or a number",
        "binary_classifier",
        "multiclass_classifier",
        "regressor",
    )
    num_classes: int | None = integer(
        "how many classes there are, labeled from 0; only of the multiclass classifier, which needs it",
        default=None,
        low=3,
        high=1_000_000,
        role="classes",
        remedy="For two classes, labeled 0 and 1, set predictor_type to binary_classifier.",
    )
    accuracy_top_k: int = integer("k of the top-k accuracy of the multiclass classifier", default=3, low=1)
    balance_multiclass_weights: bool = boolean(
        "weight every class by the inverse of its share of the rows, so that all count alike", default=False
    )
    beta_1: float | Auto = real(
        "how much of the mean gradient a step of adam keeps; auto: 0.9", default="auto", low=0, high=1, auto=True
    )
    beta_2: float | Auto = real(
        "how much of the mean squared gradient a step of adam keeps; auto: 0.999",
        default="auto",
        low=0,
        high=1,
        auto=True,
    )
    bias_lr_mult: float | Auto = real(
        "how many times the learning rate that of the bias is; auto: 1", default="auto", above=0, auto=True
    )
    bias_wd_mult: float | Auto = real(
        "how many times wd that of the bias is; auto: 0", default="auto", low=0, auto=True
    )
    binary_classifier_model_selection_criteria: str = choice(
        "by what the best binary classifier and its threshold are chosen; f1: f_beta where that is 1; "
        "cross_entropy_loss: loss_function",
        "accuracy",
        "f_beta",
        "precision_at_target_recall",
        "recall_at_target_precision",
        "loss_function",
        *CRITERIA,
        default="accuracy",
    )
    early_stopping_patience: int = integer(
        "how many epochs without a better result end the training; more than epochs: never", default=3, low=1
    )
    early_stopping_tolerance: float = real(
        "share of the best result so far by which one must be better to count as such", default=0.001, above=0
    )
    epochs: int = integer("most passes over the training rows", default=15, low=1, role="passes")
    f_beta: float = real("how many times as much recall counts as precision in the F score", default=1.0, above=0)
    feature_dim: int | Auto = integer(
        "how many features a row has; auto: as the rows have", default="auto", low=1, auto=True, role="width"
    )
    huber_delta: float = real(
        "size of the error, in units of the label, from where on huber_loss is linear", default=1.0, above=0
    )
    init_bias: float = real("where the bias starts", default=0)
    init_method: str = choice(
        "how starting weights are drawn: uniformly up to init_scale, or normally with init_sigma",
        "uniform",
        "normal",
        default="uniform",
    )
    init_scale: float = real("largest starting weight of init_method uniform", default=0.07, above=0)
    init_sigma: float = real("standard deviation of the starting weights of init_method normal", default=0.01, above=0)
    l1: float | Auto = real(
        "weight of the L1 norm of the weights in the loss; auto: 0",
        default="auto",
        low=0,
        auto=True,
        tune=(1e-7, 1),
    )
    learning_rate: float | Auto = real(
        "size of the first steps; auto: by the optimizer, searched among the models",
        default="auto",
        above=0,
        auto=True,
        tune=(1e-5, 1),
    )
    loss: str = choice(
        "the loss function; auto: squared_loss, logistic or softmax_loss, by predictor_type",
        "auto",
        "logistic",
        "squared_loss",
        "absolute_loss",
        "hinge_loss",
        "eps_insensitive_squared_loss",
        "eps_insensitive_absolute_loss",
        "quantile_loss",
        "huber_loss",
        "softmax_loss",
        default="auto",
    )
    loss_insensitivity: float = real(
        "size of the error, in units of the label, up to which the eps_insensitive losses are zero",
        default=0.01,
        above=0,
    )
    lr_scheduler_factor: float | Auto = real(
        "by what the learning rate is multiplied at each step of its schedule; auto: 0.99",
        default="auto",
        above=0,
        below=1,
        auto=True,
    )
    lr_scheduler_minimum_lr: float | Auto = real(
        "below what the schedule does not lower the learning rate; auto: 1e-5", default="auto", above=0, auto=True
    )
    lr_scheduler_step: int | Auto = integer(
        "after how many batches the learning rate is lowered; auto: 100",
        default="auto",
        low=1,
        auto=True,
    )
    margin: float = real("distance between the classes that hinge_loss asks for", default=1.0, above=0)
    mini_batch_size: int = integer(
        "rows of a step, of all hosts together", default=1000, low=1, tune=(100, 5000), role="batch"
    )
    momentum: float | Auto = real(
        "how much of the last step of sgd the next one keeps; auto: 0.9", default="auto", low=0, high=1, auto=True
    )
    normalize_data: bool | Auto = boolean("scale every feature to a standard deviation of 1", default=True, auto=True)
    normalize_label: bool | Auto = boolean(
        "scale the label of a regression to a standard deviation of 1; auto: yes", default="auto", auto=True
    )
    num_calibration_samples: int | Auto = integer(
        "how many rows the threshold is chosen on; auto: 10,000,000, or as many as have 64 MiB of scores",
        default="auto",
        low=1,
        auto=True,
    )
    num_models: int | Auto = integer(
        "how many models are trained side by side; auto: up to 32", default="auto", low=1, auto=True
    )
    num_point_for_scaler: int = integer("rows from which means and deviations are computed", default=10_000, low=1)
    optimizer: str = choice(
        "how weights follow gradients; auto: adam", "auto", "sgd", "adam", "rmsprop", default="auto"
    )
    positive_example_weight_mult: float | Literal["balanced", "auto"] = real(
        "weight of a positive row beside a negative one; balanced: both classes count alike; auto: searched",
        default=1.0,
        above=0,
        words=("balanced", "auto"),
        tune=(1e-5, 1e5),
    )
    quantile: float = real(
        "share of the labels that should lie below the answer of quantile_loss", default=0.5, above=0, below=1
    )
    target_precision: float = real(
        "precision to keep where recall_at_target_precision chooses", default=0.8, above=0, below=1
    )
    target_recall: float = real(
        "recall to keep where precision_at_target_recall chooses", default=0.8, above=0, below=1
    )
    unbias_data: bool | Auto = boolean(
        "shift every feature to a mean of 0; auto: where there is a bias and rows are dense",
        default="auto",
        auto=True,
    )
    unbias_label: bool | Auto = boolean(
        "shift the label of a regression to a mean of 0; auto: where there is a bias", default="auto", auto=True
    )
    use_bias: bool = boolean("whether there is a bias beside the weights", default=True, tune=(True, False))
    use_lr_scheduler: bool = boolean("whether the learning rate is lowered on a schedule", default=True)
    wd: float | Auto = real(
        "weight of the squared L2 norm of the weights in the loss; auto: searched among the models",
        default="auto",
        low=0,
        auto=True,
        tune=(1e-7, 1),
    )
    tuning_objective_metric: str | None = text(
        "the metric of a tuner, which adds it; where there is one, a job trains one model",
        default=None,
        name="_tuning_objective_metric",
    )

    @classmethod
    def without_effect(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        """What belongs to another predictor or loss; the SDK's class takes 1 and 2 classes, and 0 of both numbers."""
        unused = {}
        if dialects.word(given.get("predictor_type")) in ("regressor", "binary_classifier"):
            unused["num_classes"] = "is of predictor_type multiclass_classifier alone"
        loss = dialects.word(given.get("loss") or "auto")
        for name, own in (("margin", "hinge_loss"), ("huber_delta", "huber_loss")):
            if loss != own:
                unused[name] = f"is of loss {own} alone"
        return unused

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.binary_classifier_model_selection_criteria == "f1" and self.f_beta != 1:
            yield (
                f"binary_classifier_model_selection_criteria: f1 is f_beta where that is 1, and f_beta is "
                f"{self.f_beta:g}. Name the criterion f_beta, or leave f_beta out."
            )
        if self.predictor_type == "multiclass_classifier" and self.num_classes is None:
            yield "num_classes: must be given where predictor_type is multiclass_classifier; it is not."
        fitting = LOSSES[self.predictor_type]
        if self.loss != "auto" and self.loss not in fitting:
            allowed = ", ".join(("auto", *fitting))
            yield f"loss: must be one of {allowed} where predictor_type is {self.predictor_type}; it is {self.loss}."
        for name in ("beta_1", "beta_2", "momentum"):
            if getattr(self, name) == 1:
                yield f"{name}: must be below 1 to learn from any row but the first; it is 1."

    @property
    def objective(self) -> str:
        """The loss, with auto resolved."""
        return LOSSES[self.predictor_type][0] if self.loss == "auto" else self.loss

    @property
    def is_binary(self) -> bool:
        """Whether the label is one of two classes."""
        return self.predictor_type == "binary_classifier"

    @property
    def is_regression(self) -> bool:
        """Whether the label is a number."""
        return self.predictor_type == "regressor"

    @property
    def outputs(self) -> int:
        """How many numbers a model computes of a row."""
        return self.num_classes or 1 if self.predictor_type == "multiclass_classifier" else 1

    @property
    def criterion(self) -> str:
        """By what the best binary classifier is chosen, under its own name."""
        criterion = self.binary_classifier_model_selection_criteria
        return CRITERIA.get(criterion, criterion)

    @property
    def criterion_is_chosen(self) -> bool:
        """Whether the user named a criterion for binary classifiers that is not the loss."""
        name = "binary_classifier_model_selection_criteria"
        return self.is_binary and name in self.model_fields_set and self.criterion != "loss_function"
