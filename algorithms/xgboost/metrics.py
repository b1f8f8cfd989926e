"""Which metrics there are, and how they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

MAXIMIZED = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "interval-regression-accuracy",
    "map", "ndcg", "precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip
QUERIES = ("ndcg", "map")
CONFUSION = (
    "accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "precision", "precision_macro", "precision_micro",
    "recall", "recall_macro", "recall_micro",
)  # fmt: skip
WITH_NUMBER = ("error", "ndcg", "map", "tweedie-nloglik")  # those that may have a number behind an @
NAMES = (
    *dict.fromkeys((*CONFUSION, *MAXIMIZED)), "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik",
    "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "quantile", "rmse", "rmsle",
    "tweedie-nloglik",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """A metric as it was asked for."""

    written: str  # "error@0.7"
    base: str  # "error"
    number: float | None  # 0.7
    minus: bool = False  # "ndcg@5-": a query without a gain scores 0

    @classmethod
    def named(cls, written: str) -> Score:
        """The metric of that name; ValueError where there is none."""
        base, at, text = written.strip().partition("@")
        minus = base.removesuffix("-") in QUERIES and written.endswith("-")
        if at == "" and minus:
            base = base.removesuffix("-")
        if base not in NAMES or (at and base not in WITH_NUMBER):
            raise ValueError
        number = float(text.removesuffix("-") if minus else text) if at else None
        if number is not None and base in QUERIES and (number < 1 or not number.is_integer()):
            raise ValueError
        if number is not None and base == "tweedie-nloglik" and not 1 <= number < 2:
            raise ValueError
        return cls(written.strip(), base, number, minus)

    @property
    def maximized(self) -> bool:
        """Whether more is better."""
        return self.base in MAXIMIZED

    @property
    def related(self) -> bool:
        """Whether it needs all members' rows together."""
        return self.base in ("auc", "aucpr", "cox-nloglik", *QUERIES)
