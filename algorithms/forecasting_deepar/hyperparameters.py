"""What a user may set for DeepAR."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Self

from algoport.algorithms.contract import dialects
from algoport.algorithms.contract.dialects import unquoted
from algoport.algorithms.contract.hyperparameters import NOUN, Settings, choice, integer, listing, real, text
from algoport.algorithms.forecasting_deepar import spellings

GAUSSIAN, BETA, NEGATIVE_BINOMIAL = "gaussian", "beta", "negative-binomial"
STUDENT_T, DETERMINISTIC = "student-T", "deterministic-L1"
LIKELIHOODS = (GAUSSIAN, BETA, NEGATIVE_BINOMIAL, STUDENT_T, DETERMINISTIC)
LOCATED = (GAUSSIAN, STUDENT_T, DETERMINISTIC)  # whose first parameter is where a target lies
AUTO, IGNORE = "auto", "ignore"


class Hyperparameters(Settings):
    """The settings of one job."""

    time_freq: str = text(
        "granularity of the series: M, W, D, H or min, and a multiple before it: 5min, 2H, D; what pandas calls ME, "
        "MS, W-MON, h or T is read as these"
    )
    context_length: int = integer(
        "points that the network sees before it forecasts; lags reach further back", low=1, tune=(1, 200)
    )
    prediction_length: int = integer("points to forecast, fixed by training", low=1)
    epochs: int = integer("most passes over the training series", low=1, tune=(1, 1000), role="passes")
    cardinality: str = text(
        "number of categories of each entry of cat, [2, 3]; auto: as found; ignore: cat is not used", default=AUTO
    )
    dropout_rate: float = real(
        "zoneout: share of the units that keep their state at a step",
        default=0.1,
        tune=(0.0, 0.2),
    )
    early_stopping_patience: int | None = integer(
        "epochs without a better loss after which training ends; not given: never", default=None
    )
    embedding_dimension: int = integer("numbers learned for each category", default=10, low=1, tune=(1, 50))
    learning_rate: float = real("step size of Adam", default=0.001, tune=(1e-5, 0.1))
    likelihood: str = choice(
        "noise: gaussian and student-T of real values, beta of values from 0 to 1, negative-binomial of counts; "
        "deterministic-L1: a point and no noise",
        *LIKELIHOODS,
        default=STUDENT_T,
    )
    mini_batch_size: int = integer(
        "windows of a step, of all hosts together", default=128, low=1, tune=(32, 1028), role="batch"
    )
    num_cells: int = integer("cells of a recurrent layer", default=40, low=1, tune=(30, 200))
    num_dynamic_feat: str = text(
        "how many dynamic_feat a series has; auto: as found; ignore: they are not used", default=AUTO
    )
    num_eval_samples: int = integer("paths a series when the test channel is scored", default=100)
    num_layers: int = integer("recurrent layers", default=2, low=1, tune=(1, 8))
    test_quantiles: tuple[float, ...] = listing(
        "quantiles whose loss is computed on the test channel",
        default=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        of="real",
    )

    @classmethod
    def read(cls, given: Mapping[str, object], *, noun: str = NOUN) -> Self:
        """The settings; likelihoods are known in any case, and an empty text switches a kind of features off."""
        words = dict(given)
        for name in ("cardinality", "num_dynamic_feat"):
            if name in words:
                value = words[name]
                words[name] = _plain(value) or IGNORE if value is not None else AUTO
        likelihood = str(words.get("likelihood", ""))
        known = {word.lower(): word for word in LIKELIHOODS}
        if unquoted(likelihood).lower() in known:
            words["likelihood"] = known[unquoted(likelihood).lower()]
        frequency = words.get("time_freq")
        if isinstance(frequency, str):
            with suppress(ValueError):  # a fault is one of all that are reported together
                words["time_freq"] = spellings.frequency(unquoted(frequency))
        return super().read(words, noun=noun)

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        try:
            spellings.frequency(self.time_freq)
        except ValueError as fault:
            yield f"time_freq: {fault}"
        if not 0 <= self.dropout_rate < 1:
            yield f"dropout_rate: must be at least 0 and below 1; it is {self.dropout_rate!r}."
        if not self.learning_rate > 0:
            yield f"learning_rate: must be above 0; it is {self.learning_rate!r}."
        if self.num_eval_samples < 1:
            yield f"num_eval_samples: must be at least 1; it is {self.num_eval_samples}."
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            yield f"early_stopping_patience: must be at least 1; it is {self.early_stopping_patience}."
        if not self.test_quantiles or not all(_inside(quantile) for quantile in self.test_quantiles):
            yield f"test_quantiles: must be numbers above 0 and below 1; they are {list(self.test_quantiles)}."
        if self._cardinality() is None:
            yield (
                "cardinality: must be auto, ignore or a list of whole numbers above 0, [2, 3]; "
                f"it is '{self.cardinality}'."
            )
        if self.num_dynamic_feat not in (AUTO, IGNORE) and not _is_count(self.num_dynamic_feat):
            yield (
                f"num_dynamic_feat: must be auto, ignore or a whole number above 0; it is '{self.num_dynamic_feat}'."
            )

    @property
    def quantiles(self) -> list[float]:
        """`test_quantiles` as numbers."""
        return [dialects.real(quantile) for quantile in self.test_quantiles]

    @property
    def asked_cardinality(self) -> str | list[int]:
        """auto, ignore, or the numbers of categories."""
        cardinality = self._cardinality()
        assert cardinality is not None
        return cardinality

    @property
    def asked_features(self) -> str | int:
        """auto, ignore, or the number of dynamic features."""
        word = self.num_dynamic_feat
        return word if word in (AUTO, IGNORE) else dialects.integer(word)

    def _cardinality(self) -> str | list[int] | None:
        if self.cardinality in (AUTO, IGNORE):
            return self.cardinality
        try:
            numbers = [dialects.integer(number) for number in dialects.items(self.cardinality)]
        except ValueError:
            return None
        return numbers if numbers and min(numbers) > 0 else None


def _plain(value: object) -> str:
    """A setting as text, whatever it came as."""
    if isinstance(value, str):
        return unquoted(value)
    return json.dumps(list(value)) if isinstance(value, list | tuple) else str(value)


def _is_count(text: str) -> bool:
    try:
        return dialects.integer(text) > 0
    except ValueError:
        return False


def _inside(quantile: object) -> bool:
    try:
        return 0 < dialects.real(quantile) < 1
    except ValueError:
        return False
