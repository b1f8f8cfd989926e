"""What boosting lessens: the losses of the library, their derivatives and where they start.

n rows   k margins of a row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import LabelError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.threads import team
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.kernels import objectives as kernels
from algoport.algorithms.xgboost.related import RANKING, Targets, Whole, column
from algoport.algorithms.xgboost.together import exact, mean

Floats = NDArray[np.float32]

_POINTWISE = {
    "reg:squaredlogerror": kernels.SQUARED_LOG,
    "reg:pseudohubererror": kernels.HUBER,
    "reg:gamma": kernels.GAMMA,
    "reg:tweedie": kernels.TWEEDIE,
    "reg:absoluteerror": kernels.ABSOLUTE,
    "count:poisson": kernels.POISSON,
    "binary:hinge": kernels.HINGE,
}
_LOGISTIC = ("reg:logistic", "binary:logistic", "binary:logitraw")
NOISES = {"normal": kernels.NORMAL, "logistic": kernels.LOGISTIC_NOISE, "extreme": kernels.EXTREME}
# Those of which the library counts rows with label 1 as often as scale_pos_weight says.
_SCALED = ("reg:squarederror", *_LOGISTIC, "reg:gamma")
_METRICS = {
    "reg:squaredlogerror": "rmsle",
    "reg:pseudohubererror": "mphe",
    "reg:gamma": "gamma-deviance",
    "reg:absoluteerror": "mae",
    "reg:quantileerror": "quantile",
    "count:poisson": "poisson-nloglik",
    "binary:logistic": "logloss",
    "binary:logitraw": "logloss",
    "binary:hinge": "error",
    "multi:softmax": "mlogloss",
    "multi:softprob": "mlogloss",
    "rank:pairwise": f"ndcg@{kernels.PAIRS}",
    "rank:ndcg": f"ndcg@{kernels.PAIRS}",
    "rank:map": f"map@{kernels.PAIRS}",
    "survival:cox": "cox-nloglik",
    "survival:aft": "aft-nloglik",
}
LEAST = 1e-6  # of what is divided by, in the library's first estimate
MOST_GAIN = 31  # the greatest label of which 2 ** label is a gain


@dataclass(frozen=True)
class Objective:
    """A loss with its numbers."""

    name: str
    num_class: int = 0
    scale_pos_weight: float = 1.0
    huber_slope: float = 1.0
    tweedie_variance_power: float = 1.5
    max_delta_step: float = 0.7  # of count:poisson alone
    quantile_alpha: Sequence[float] = (0.5,)
    aft_loss_distribution: str = "normal"
    aft_loss_distribution_scale: float = 1.0

    @property
    def outputs(self) -> int:
        """How many margins a row has."""
        if self.name in links.SOFTMAX:
            return self.num_class
        return len(self.quantile_alpha) if self.name == "reg:quantileerror" else 1

    @property
    def adaptive(self) -> bool:
        """Whether leaves are set anew by `leaves`, as the loss has no curvature."""
        return self.name in ("reg:absoluteerror", "reg:quantileerror")

    @property
    def default_metric(self) -> str:
        """What is measured where no metric is asked for."""
        if self.name == "reg:tweedie":
            return f"tweedie-nloglik@{self.tweedie_variance_power:g}"
        return _METRICS.get(self.name, "rmse")

    @property
    def facts(self) -> Mapping[str, Mapping[str, str]]:
        """Its numbers as the library's model file has them."""
        numbers = {name: _number(float(getattr(self, name))) for name in _NUMBERS}
        listed = ",".join(_number(alpha) for alpha in self.quantile_alpha)
        table: dict[str, Mapping[str, Mapping[str, str]]] = {
            "count:poisson": {"poisson_regression_param": {"max_delta_step": numbers["max_delta_step"]}},
            "reg:pseudohubererror": {"pseudo_huber_param": {"huber_slope": numbers["huber_slope"]}},
            "reg:quantileerror": {"quantile_loss_param": {"quantile_alpha": f"[{listed}]"}},
            "reg:tweedie": {"tweedie_regression_param": {k: v for k, v in numbers.items() if k.startswith("tweedie")}},
            "survival:aft": {
                "aft_loss_param": {
                    "aft_loss_distribution": self.aft_loss_distribution,
                    "aft_loss_distribution_scale": numbers["aft_loss_distribution_scale"],
                }
            },
            **{key: {"softmax_multiclass_param": {"num_class": str(self.num_class)}} for key in links.SOFTMAX},
            **{key: {"reg_loss_param": {"scale_pos_weight": numbers["scale_pos_weight"]}} for key in _SCALED},
            **{key: {"lambdarank_param": dict(_LAMBDARANK)} for key in RANKING},
        }
        return table.get(self.name, {})

    def check(self, targets: Targets, channel: str) -> None:
        """`LabelError` where a label is none for this loss."""
        label, domain = targets.label, ""
        bad = ~np.isfinite(label)
        if bad.any():
            domain = "a finite number"
        elif self.name in _LOGISTIC or self.name == "binary:hinge":
            domain, bad = "from 0 to 1", (label < 0) | (label > 1)
        elif self.name == "reg:squaredlogerror":
            domain, bad = "above -1", label <= -1
        elif self.name == "reg:gamma":
            domain, bad = "above 0", label <= 0
        elif self.name in ("count:poisson", "reg:tweedie"):
            domain, bad = "at least 0", label < 0
        elif self.name in links.SOFTMAX:
            domain = f"a whole number from 0 to num_class - 1, which is {self.num_class - 1}"
            bad = (label < 0) | (label >= self.num_class) | (label != np.floor(label))
        elif self.name in ("rank:ndcg", "rank:pairwise"):
            domain = f"a whole number from 0 to {MOST_GAIN}"
            bad = (label < 0) | (label > MOST_GAIN) | (label != np.floor(label))
        elif self.name == "rank:map":
            domain, bad = "0 or 1", (label != 0) & (label != 1)
        elif self.name == "survival:cox":
            domain, bad = "other than 0: a time, and negative where it is censored", label == 0
        elif self.name == "survival:aft" and targets.upper is not None:
            domain = "at least 0 and at most the upper end, which is above 0"
            bad = (label < 0) | (targets.upper < label) | ~(targets.upper > 0)
        if bad.any():
            first = float(label[np.argmax(bad)])
            classes = self.num_class if self.name in links.SOFTMAX else 2 if self.name.startswith("binary:") else None
            raise LabelError(channel, f"a label must be {domain} for {self.name}; one is {first:g}.", first, classes)

    def whole(self, targets: Targets, group: Group) -> Whole | None:
        """What the gradients need of all members' rows; None where a row's depend on no other. Some exchanges."""
        if self.name not in RANKING and self.name != "survival:cox" and not self.adaptive:
            return None
        return Whole.of(targets, group)

    def gradients(self, margins: Floats, targets: Targets, whole: Whole | None, out: Floats) -> None:
        """Sets `out` (k, n, 2) to gradients and Hessians at the margins (n, k), times the weights.

        An exchange of the margins where `whole` is needed.
        """
        label, weight, crew = targets.label, targets.weight, team(len(targets.label))
        positive = np.float32(self.scale_pos_weight if self.name in _SCALED else 1)
        if self.name in _LOGISTIC:
            kernels.logistic(crew, column(margins, 0), label, weight, positive, out.reshape(-1))
        elif self.name == "reg:squarederror":
            kernels.squared(crew, column(margins, 0), label, weight, positive, out.reshape(-1))
        elif self.name in _POINTWISE:
            kind = _POINTWISE[self.name]
            kernels.pointwise(crew, kind, column(margins, 0), label, weight, positive, np.float32(self._fact), out[0])
        elif self.name == "reg:quantileerror":
            for j, alpha in enumerate(self.quantile_alpha):
                fact = np.float32(alpha)
                kernels.pointwise(crew, kernels.QUANTILE, column(margins, j), label, weight, positive, fact, out[j])
        elif self.name in links.SOFTMAX:
            kernels.softmax(np.ascontiguousarray(margins), label, weight, out.reshape(-1))
        elif self.name == "survival:aft":
            upper = label if targets.upper is None else targets.upper
            kind, scale = NOISES[self.aft_loss_distribution], float(self.aft_loss_distribution_scale)
            kernels.times(kind, column(margins, 0), label, upper, weight, scale, out[0])
        else:
            assert whole is not None
            out[0] = whole.gradients(self.name, margins)

    def base_score(self, targets: Targets, whole: Whole | None, group: Group) -> Floats:
        """(k,) where boosting starts, in the units of the answer, as the library estimates it from version 3.1 on.

        A mean, a quantile or the shares of classes; else one step of Newton's from the margin 0.
        """
        label, weight = targets.label, targets.weight
        if self.name == "survival:aft":
            return np.array([0.5], np.float32)
        if self.name in links.SOFTMAX:
            one_hot = label[:, None] == np.arange(self.num_class, dtype=np.float32)
            shares = mean(one_hot, weight, group).astype(np.float32)
            logs = np.log(shares + np.float32(LEAST))
            return np.asarray(logs - logs.mean(dtype=np.float32), np.float32)
        if self.adaptive:
            assert whole is not None
            return np.array([whole.quantile(whole.targets.label, alpha) for alpha in self._quantiles], np.float32)
        newton = self.name in _SCALED and abs(self.scale_pos_weight - 1) > LEAST
        if not newton and self.name in (*_SCALED, "count:poisson", "reg:tweedie"):
            return mean(label[:, None], weight, group).astype(np.float32)
        gradients = np.empty((1, len(label), 2), np.float32)
        self.gradients(np.zeros((len(label), 1), np.float32), targets, whole, gradients)
        g, h = exact(gradients[0], group)
        return links.transform(self.name, np.array([[-g / max(h, LEAST)]], np.float32))

    def leaves(self, leaf: NDArray[np.int32], margins: Floats, column: int, whole: Whole) -> dict[int, float]:
        """Of an adaptive loss: for each leaf that rows are in, the quantile of what is left of their labels.

        `leaf`: of this member's rows, negative where a row was not sampled. An exchange.
        """
        alpha = self._quantiles[min(column, len(self._quantiles) - 1)]
        return whole.leaves(leaf, whole.targets_of_mine - margins[:, column], alpha)

    @property
    def _quantiles(self) -> Sequence[float]:
        return self.quantile_alpha if self.name == "reg:quantileerror" else (0.5,)

    @property
    def _fact(self) -> float:
        facts = {
            "reg:pseudohubererror": self.huber_slope,
            "reg:tweedie": self.tweedie_variance_power,
            "count:poisson": self.max_delta_step,
        }
        return facts.get(self.name, 0.0)


_LAMBDARANK = {
    "lambdarank_bias_norm": "1",
    "lambdarank_normalization": "1",
    "lambdarank_num_pair_per_sample": "4294967295",
    "lambdarank_pair_method": "topk",
    "lambdarank_score_normalization": "1",
    "lambdarank_unbiased": "0",
    "ndcg_exp_gain": "1",
}


_NUMBERS = (
    "scale_pos_weight",
    "huber_slope",
    "tweedie_variance_power",
    "max_delta_step",
    "aft_loss_distribution_scale",
)


def _number(value: float) -> str:
    return f"{np.float32(value):.9g}"
