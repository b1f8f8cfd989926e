"""What a user may set for boosted trees. The names are the library's and its image's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from algoport.algorithms.contract import dialects
from algoport.algorithms.contract.hyperparameters import (
    NOUN,
    Settings,
    boolean,
    choice,
    integer,
    listing,
    real,
    text,
)
from algoport.algorithms.xgboost import links, spellings
from algoport.algorithms.xgboost.links import OLD_NAMES
from algoport.algorithms.xgboost.metrics import CONFUSION, NAMES, Score

OBJECTIVES = (
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:logistic",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:quantileerror",
    "reg:gamma",
    "reg:tweedie",
    "reg:linear",
    "binary:logistic",
    "binary:logitraw",
    "binary:hinge",
    "count:poisson",
    "multi:softmax",
    "multi:softprob",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
    "survival:aft",
    "survival:cox",
)
GROWING = (
    "grow_colmaker",
    "distcol",
    "grow_histmaker",
    "grow_local_histmaker",
    "grow_skmaker",
    "grow_quantile_histmaker",
)
UPDATING, LINEAR = ("refresh", "prune"), ("shotgun", "coord_descent")
OF_TWO_CLASSES = ("f1_binary", "precision", "recall")
OF_SEVERAL = ("merror", "mlogloss")
# Of trees and of a linear booster, where they are not set: the share that a round counts by, and the L2 term; then the
# largest step of a leaf, and that of a count. They are the library's own defaults.
ETAS, LAMBDAS, STEPS = (0.3, 0.5), (1.0, 0.0), (0.0, 0.7)


class Hyperparameters(Settings):
    """The settings of one job."""

    num_round: int = integer(
        "how many rounds of boosting; each grows a tree, or one a class", low=1, tune=(1, 4000), role="passes"
    )
    num_class: int | None = integer(
        "how many classes there are; for the objectives multi:",
        default=None,
        low=2,
        role="classes",
        remedy="For labels 0 and 1 there is the objective binary:logistic, without num_class.",
    )
    objective: str = choice("what is learned, and by which loss", *OBJECTIVES, default="reg:squarederror")
    booster: str = choice(
        "what is boosted: trees, a linear model, or trees of which earlier ones are dropped now and then",
        "gbtree",
        "gblinear",
        "dart",
        default="gbtree",
    )
    eval_metric: tuple[str, ...] = listing(
        "what is measured after every round, for example auc or error@0.7; where left out, what fits the objective",
        default=(),
    )
    early_stopping_rounds: int | None = integer(
        "end once the last metric on validation has not become better for so many rounds, and keep the best model",
        default=None,
        low=1,
    )
    eta: float | None = real(
        "by what share of itself a new tree counts; 0.3 where it is not set, and for gblinear 0.5",
        default=None,
        low=0,
        high=1,
        tune=(0.1, 0.5),
        aliases=("learning_rate",),
    )
    gamma: float = real("least gain of a split", default=0.0, low=0, tune=(0, 5), aliases=("min_split_loss",))
    max_depth: int = integer("deepest that a tree may grow; 0: no limit", default=6, low=0, tune=(0, 10))
    min_child_weight: float = real("least sum of Hessians in a leaf", default=1.0, low=0, tune=(0, 120))
    max_delta_step: float | None = real(
        "largest that a leaf may be before eta; 0: no limit; 0 where it is not set, and for count:poisson 0.7",
        default=None,
        low=0,
        tune=(0, 10),
    )
    subsample: float = real("share of the rows that a tree is grown on", default=1.0, low=0, high=1, tune=(0.5, 1))
    sampling_method: str = choice(
        "how these rows are drawn: all alike, or rather those with a large gradient",
        "uniform",
        "gradient_based",
        default="uniform",
    )
    colsample_bytree: float = real(
        "share of the features that a tree may split by", default=1.0, low=0, high=1, tune=(0.5, 1)
    )
    colsample_bylevel: float = real(
        "share of these that a level of a tree may split by", default=1.0, low=0, high=1, tune=(0.1, 1)
    )
    colsample_bynode: float = real(
        "share of these that a node may split by", default=1.0, above=0, high=1, tune=(0.1, 1)
    )
    lambda_: float | None = real(
        "L2 term on what leaves add, or on weights; 1 where it is not set, and for gblinear 0",
        default=None,
        low=0,
        tune=(0, 1000),
        name="lambda",
        aliases=("reg_lambda",),
    )
    alpha: float = real(
        "L1 term on what leaves add, or on weights", default=0.0, low=0, tune=(0, 1000), aliases=("reg_alpha",)
    )
    lambda_bias: float = real("accepted; gblinear does not shrink its bias", default=0.0, low=0, high=1)
    tree_method: str = choice(
        "how splits are found: in bins made once (hist, auto), in bins of each tree (approx), or in all values (exact)",
        "auto",
        "exact",
        "approx",
        "hist",
        "gpu_hist",
        default="auto",
    )
    max_bin: int = integer("most bins of a feature", default=256, low=0)
    sketch_eps: float = real("accepted; max_bin says how fine bins are", default=0.03, low=0, high=1)
    grow_policy: str = choice(
        "where a tree grows next: nearest the root, or where the gain is largest",
        "depthwise",
        "lossguide",
        default="depthwise",
    )
    max_leaves: int = integer("most leaves of a tree; 0: no limit", default=0, low=0)
    num_parallel_tree: int = integer("how many trees grow side by side in a round", default=1, low=1)
    scale_pos_weight: float = real("how often a row with label 1 counts", default=1.0)
    base_score: float | None = real(
        "what is answered before the first round; estimated from the labels where it is not set", default=None, low=0
    )
    monotone_constraints: tuple[int, ...] = listing(
        "in which features the answer may only rise (1), only fall (-1) or both (0): (1,0,-1), or by number, counted "
        'from 0, {"2": -1}',
        default=(),
        of="integer",
        remedy='Write one number a feature, (1,0,-1), or name features by their numbers from 0, {"0": 1, "2": -1}.',
    )
    interaction_constraints: tuple[Any, ...] = listing(
        "groups of features that may meet on a path of a tree, for example [[1,2],[3,4,5]]; counted from 0",
        default=(),
        remedy="Write a list of lists of features, counted from 0: [[0,1],[2,3]].",
    )
    process_type: str = choice(
        "whether to grow trees, or to take those of the model channel anew", "default", "update", default="default"
    )
    updater: tuple[str, ...] | None = listing(
        "steps of an update or of gblinear; what grows trees follows from tree_method",
        *GROWING,
        "sync",
        *UPDATING,
        *LINEAR,
        default=None,
    )
    refresh_leaf: int = integer(
        "whether refresh takes leaves anew (1) or only their statistics (0)", default=1, low=0, high=1
    )
    sample_type: str = choice(
        "dart: how the trees to drop are drawn: all alike, or by their weights",
        "uniform",
        "weighted",
        default="uniform",
    )
    normalize_type: str = choice(
        "dart: whether new trees weigh as much as each of the dropped ones or as all of them",
        "tree",
        "forest",
        default="tree",
    )
    rate_drop: float = real("dart: share of the earlier trees that are dropped", default=0.0, low=0, high=1)
    skip_drop: float = real("dart: how likely a round drops none", default=0.0, low=0, high=1)
    one_drop: int = integer("dart: whether at least one tree is dropped", default=0, low=0, high=1)
    tweedie_variance_power: float = real(
        "reg:tweedie: by which power of the mean the variance grows", default=1.5, above=1, below=2
    )
    quantile_alpha: tuple[float, ...] = listing(
        "reg:quantileerror: which quantiles, for example [0.1,0.9]", default=(0.5,), of="real"
    )
    aft_loss_distribution: str | None = choice(
        "survival:aft: how the logarithms of times spread; normal where it is not set",
        "normal",
        "logistic",
        "extreme",
        default=None,
    )
    aft_loss_distribution_scale: float | None = real(
        "survival:aft: how far they spread; 1 where it is not set", default=None, low=0
    )
    csv_weights: int = integer("whether the second column of CSV is the row's weight", default=0, low=0, high=1)
    seed: int = integer("where the draws begin", default=0)
    nthread: int | None = integer("how many threads compute; all where it is left out", default=None, low=1)
    verbosity: int = integer("accepted; the log is the same", default=1, low=0, high=3)
    silent: int = integer("accepted; the log is the same", default=0, low=0, high=1)
    save_model_on_termination: bool = boolean("accepted; a job that is stopped always leaves its model", default=False)
    predictor: str = choice("accepted; there is one", "auto", "cpu_predictor", "gpu_predictor", default="auto")
    dsplit: str | None = choice("accepted; hosts share out rows", "row", "col", default=None)
    deterministic_histogram: bool = boolean("accepted; training is always reproducible", default=True)
    single_precision_histogram: bool = boolean("accepted; histograms are sums of whole numbers", default=False)
    prob_buffer_row: int | None = integer("accepted; changes nothing", default=None, low=2)
    use_dask_gpu_training: bool = boolean("accepted; training runs on CPUs", default=False)
    kfold: int | None = integer(
        "cross-validation: into how many parts the rows are cut; each part is left out of one model",
        default=None,
        low=2,
        name="_kfold",
    )
    num_cv_round: int = integer("how often the cross-validation is repeated", default=1, low=1, name="_num_cv_round")
    tuning_objective_metric: str | None = text(
        "what a tuner looks for, for example validation:auc; measured beside eval_metric",
        default=None,
        name="_tuning_objective_metric",
    )

    @classmethod
    def read(cls, given: Mapping[str, object], *, noun: str = NOUN) -> Self:
        """The settings; constraints on features may be written by number or name."""
        return super().read(spellings.plain(given), noun=noun)

    @classmethod
    def without_effect(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        """`num_class`, which the library passes over where its default of 0 or a 1 stands beside one number a row."""
        objective = dialects.word(given.get("objective") or OBJECTIVES[0])
        return {} if objective.startswith("multi:") else {"num_class": "is of the objectives multi: alone"}

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        yield from self._objective_faults()
        for written in dict.fromkeys([*self.eval_metric, *([self.tuned] if self.tuned else [])]):
            yield from self._metric_faults(str(written))
        yield from self._tree_faults()
        yield from self._constraint_faults()
        yield from self._updater_faults()

    @property
    def loss(self) -> str:
        """The objective's name of today."""
        return OLD_NAMES.get(self.objective, self.objective)

    @property
    def tuned(self) -> str:
        """The metric that a tuner looks for, without its channel; empty where there is none."""
        return (self.tuning_objective_metric or "").partition(":")[2]

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of an update or of a linear booster."""
        return self.updater or ()

    def _objective_faults(self) -> Iterator[str]:
        if self.loss in links.SOFTMAX and self.num_class is None:
            yield f"num_class: must be given for {self.objective}."
        score = self.base_score
        if score is not None and self.loss in links.LOGISTIC and not 0 < score < 1:
            yield f"base_score: must be above 0 and below 1 for {self.objective}; it is {score:g}."
        if score is not None and self.loss in links.LOG and score <= 0:
            yield f"base_score: must be above 0 for {self.objective}; it is 0."
        if self.scale_pos_weight <= 0:
            yield f"scale_pos_weight: must be above 0; it is {self.scale_pos_weight:g}."
        if not self.quantile_alpha or not all(_is_share(alpha) for alpha in self.quantile_alpha):
            yield f"quantile_alpha: must be numbers from 0 to 1; it is {list(self.quantile_alpha)}."

    def _metric_faults(self, written: str) -> Iterator[str]:
        try:
            base = Score.named(written).base
        except ValueError:
            known = ", ".join(self._fitting_metrics())
            yield (
                f"eval_metric: must name metrics that there are, such as error@0.7; one is '{written}'. "
                f"For {self.objective} there are {known}."
            )
            return
        fitting = self._metric_fits(base)
        if fitting:
            yield (
                f"eval_metric: {written} must be used with {fitting}; objective is {self.objective}, for which there "
                f"are {', '.join(self._fitting_metrics())}."
            )

    def _fitting_metrics(self) -> list[str]:
        """The metrics that fit the objective."""
        return [name for name in NAMES if not self._metric_fits(name)]

    def _metric_fits(self, base: str) -> str:
        """Empty where the metric fits the objective, else what it fits."""
        several = self.loss in links.SOFTMAX
        of_objective = {"aft-nloglik": "survival:aft", "interval-regression-accuracy": "survival:aft"}
        of_objective |= {"cox-nloglik": "survival:cox", "quantile": "reg:quantileerror"}
        if of_objective.get(base, self.loss) != self.loss:
            return of_objective[base]
        if base == "auc" and not self.loss.startswith(("binary:", "rank:")):
            return "objectives binary: or rank:"
        if several and (base not in (*OF_SEVERAL, *CONFUSION, "aucpr") or base in OF_TWO_CLASSES):
            return "one number a row"
        if not several and base in OF_SEVERAL:
            return "objectives multi:"
        return ""

    def _tree_faults(self) -> Iterator[str]:
        for name in ("subsample", "colsample_bytree", "colsample_bylevel"):
            if getattr(self, name) == 0:
                yield f"{name}: must be above 0; it is 0."
        if self.max_bin < 2:
            yield f"max_bin: must be at least 2; it is {self.max_bin}."
        if self.tree_method == "exact" and self.grow_policy == "lossguide":
            yield "grow_policy: must be depthwise where tree_method is exact; it is lossguide."
        if self.tree_method == "exact" and self.max_depth == 0:
            yield "max_depth: must be at least 1 where tree_method is exact; it is 0."
        if self.num_parallel_tree > 1 and self.booster == "gblinear":
            yield f"num_parallel_tree: must be 1 for gblinear; it is {self.num_parallel_tree}."

    def _constraint_faults(self) -> Iterator[str]:
        if any(isinstance(way, bool) or way not in (-1, 0, 1) for way in self.monotone_constraints):
            yield f"monotone_constraints: must be a list of -1, 0 and 1; it is {list(self.monotone_constraints)}."
        sets = self.interaction_constraints
        if not all(isinstance(one, list | tuple) and one and all(_is_number(f) for f in one) for one in sets):
            yield f"interaction_constraints: must be a list of lists of features, from 0 on; it is {list(sets)}."

    def _updater_faults(self) -> Iterator[str]:
        growing = [step for step in self.steps if step in GROWING]
        linear = [step for step in self.steps if step in LINEAR]
        sequence = ", ".join(self.steps)
        if self.booster == "gblinear":
            if self.process_type == "update":
                yield "process_type: must be default for gblinear; it is update."
            if self.steps and (len(linear) != 1 or len(self.steps) > 1):
                yield f"updater: must be one of {', '.join(LINEAR)} for gblinear; it is {sequence}."
        elif self.process_type == "update":
            if not self.steps or not set(self.steps) <= set(UPDATING):
                yield f"updater: must be refresh and prune or one of them for process_type update; it is '{sequence}'."
        elif linear:
            yield f"updater: {', '.join(linear)} must be used with gblinear; booster is {self.booster}."
        elif len(growing) > 1:
            yield f"updater: must have at most one step that grows trees; it is {sequence}."

    def notices(self) -> Iterator[str]:
        """What was set and changes nothing."""
        yield from super().notices()
        if self.tree_method == "gpu_hist" or self.use_dask_gpu_training or self.predictor == "gpu_predictor":
            yield "Training and prediction run on CPUs; tree_method gpu_hist is hist."
        if self.objective in OLD_NAMES:
            yield f"{self.objective} is the old name of {self.loss}."
        for name in ("sketch_eps", "prob_buffer_row", "dsplit", "single_precision_histogram", "silent", "lambda_bias"):
            if getattr(self, name) != type(self).model_fields[name].default:
                yield f"{name} is accepted and changes nothing."
        if any(step in (*GROWING, "sync") for step in self.steps):
            yield "Steps of updater that grow trees change nothing; tree_method says how they grow."


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
