"""What boosting leaves: one booster, or several that answer together.    n rows   d features   k outputs"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared import artifact, model_folder
from algoport.algorithms.shared.log import note
from algoport.algorithms.xgboost import interchange, links
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.options import LABEL, LABELS, PROBABILITIES, PROBABILITY, RAW, RAWS, SCORE, Options

WIDE = 1 << 16  # features from which on a row for the warm-up is sparse, as the model's own rows were
GZIP = b"\x1f\x8b"  # no model begins so
FIRST = "algoport_first_feature"  # the booster's attribute with the number of the first feature
FILE = "xgboost-model"  # in UBJSON, which the library knows by what it holds

_VOTED = ("multi:softmax", "binary:hinge")  # predictions are classes, of which there is no mean
_OF_CLASSES = (LABEL, LABELS, RAW, RAWS)
# What a request may choose, by objective; what is not here cannot be chosen from, as in the original.
_CHOICES = {
    "reg:squarederror": (SCORE,),
    "reg:linear": (SCORE,),
    "reg:logistic": (SCORE,),
    "reg:gamma": (SCORE,),
    "reg:tweedie": (SCORE,),
    "reg:absoluteerror": (SCORE,),
    "binary:logistic": (*_OF_CLASSES, PROBABILITY, PROBABILITIES),
    "binary:logitraw": _OF_CLASSES,
    "binary:hinge": _OF_CLASSES,
    "multi:softmax": _OF_CLASSES,
    "multi:softprob": (*_OF_CLASSES, PROBABILITY, PROBABILITIES),
}
_HALF = {"binary:logistic": 0.5, "binary:logitraw": 0.0}  # above it the label is 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The boosters, which have one objective and as many outputs each; in a job without folds there is one."""

    boosters: tuple[Booster, ...]

    @property
    def booster(self) -> Booster:
        """The first."""
        return self.boosters[0]

    @property
    def width(self) -> int:
        """How many features a row must have."""
        return max(booster.num_feature for booster in self.boosters)

    @property
    def first_feature(self) -> int:
        """1 where the training data was sparse and counts its keys from 1, so that feature 0 is empty; else 0."""
        return int(self.booster.attributes.get(FIRST) == "1")

    def counting_from(self, first: int) -> Model:
        """The same, which remembers the number of the first feature of its training data."""
        if not first:
            return self
        return Model(boosters=tuple(booster.with_attributes(**{FIRST: str(first)}) for booster in self.boosters))

    def sample(self) -> Rows:
        """A row of zeros to warm up with; of a wide model one that mentions a single one."""
        if self.width <= WIDE:
            return Rows(features=np.zeros((1, self.width), np.float32))
        row = sparse.csr_array(
            (np.zeros(1, np.float32), np.zeros(1, np.int64), np.array([0, 1])), shape=(1, self.width)
        )
        return Rows(features=row)

    def predict(self, records: Rows, options: Options | None = None) -> Mapping[str, NDArray[Any]]:
        """The library's prediction as `score`, or what the options choose; up to the best round where there is one.

        Missing values are NaN, and what sparse rows do not mention.
        """
        options = options or Options()
        asked = self if options.ensemble else Model(boosters=self.boosters[:1])
        scores = asked.prediction(records)
        columns: dict[str, NDArray[Any]] = {"score": scores}
        if options.output is not None:
            columns = asked._chosen(scores, options.output)
        if options.contributions != "none":
            columns["contributions"] = asked._contributions(records, options.contributions == "approximate")
        if options.leaves:
            columns["leaves"] = asked._leaves(records)
        return columns

    def prediction(self, records: Rows) -> NDArray[np.float32]:
        """(n,) or (n, k): the mean of what the boosters predict, or the class that most of them name, the lowest of
        equals."""
        each = [links.transform(booster.objective, booster.margin(records)) for booster in self.boosters]
        if len(each) == 1:
            return each[0]
        if self.booster.objective not in _VOTED:
            return np.asarray(np.mean(each, axis=0, dtype=np.float64), np.float32)
        classes = np.arange(max(2, self.booster.num_class))
        votes = (np.stack(each)[:, :, None] == classes).sum(axis=0)  # (n, classes)
        return np.asarray(votes.argmax(axis=1), np.float32)

    def save(self, folder: Path) -> None:
        """Write `xgboost-model`, or `xgboost-model-0` and so on."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, booster in enumerate(self.boosters):
            name = FILE if len(self.boosters) == 1 else f"{FILE}-{number}"
            artifact.put(folder / name, interchange.write(booster))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read every file of the folder, or of the only one below it, that is a model in the library's JSON or UBJSON,
        whatever its name; others are passed over with a note.

        Without one those whose name begins with a dot, and archives: some services unpack a model where its archive
        lies, beside that of the job's output.
        """
        folder = model_folder.locate(folder, lambda place: any(map(_is_model, _files(place))))
        named = _files(folder)
        files = [path for path in named if _is_model(path)]
        if not files:
            raise _no_model(folder, named)
        for path in named:
            if path not in files:
                note(f"{path.name}: is no XGBoost model in JSON or UBJSON, and is passed over.")
        boosters = tuple(interchange.read(model_folder.read_file(path), path.name) for path in files)
        first = boosters[0]
        for booster, path in zip(boosters, files, strict=True):
            if (booster.objective, booster.outputs) != (first.objective, first.outputs):
                raise UserError(
                    f"{path.name}: must have the objective and the number of outputs of {files[0].name}, "
                    f"{first.objective} and {first.outputs}, to answer together; it has {booster.objective} and "
                    f"{booster.outputs}."
                )
        return cls(boosters=boosters)

    def check_options(self, options: Options) -> None:
        """`UserError` where these options can be those of no request, whatever it asks."""
        if options.output is not None and (self.booster.objective not in _CHOICES or self._has_several_values):
            raise UserError(f"SAGEMAKER_INFERENCE_OUTPUT: must not be set for a model of {self.booster.objective}.")

    @property
    def _has_several_values(self) -> bool:
        """Whether a row has several values that are no probabilities of classes."""
        return self.booster.outputs > 1 and self.booster.objective not in ("multi:softmax", "multi:softprob")

    def _chosen(self, scores: NDArray[np.float32], wanted: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """The columns that were asked for; NaN where one says nothing under this objective."""
        objective = self.booster.objective
        choices = _CHOICES.get(objective)
        if choices is None or scores.ndim > 1 + (objective == "multi:softprob"):
            raise UserError(f"SAGEMAKER_INFERENCE_OUTPUT: must not be set for a model of {objective}.")
        n, two = len(scores), objective.startswith("binary:")
        columns: dict[str, NDArray[Any]] = {}
        for name in wanted:
            if name not in choices:
                columns[name] = np.full(n, np.nan, np.float32)
            elif name == LABEL:
                columns[name] = self._labels(scores)
            elif name == LABELS:
                columns[name] = np.tile(np.arange(2 if two else self.booster.num_class), (n, 1))
            elif name in (PROBABILITIES, RAWS):
                columns[name] = scores if scores.ndim > 1 else np.stack([1 - scores, scores], axis=1)
            else:
                columns[name] = scores.max(axis=1, initial=-np.inf) if scores.ndim > 1 else scores
        return columns

    def _labels(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        if scores.ndim > 1:
            return np.asarray(scores.argmax(axis=1), np.int64)
        half = _HALF.get(self.booster.objective)
        return (scores if half is None else scores > half).astype(np.int64)

    def _leaves(self, records: Rows) -> NDArray[np.int32]:
        """(n, t) of the trees of all boosters, one after another; a linear model has none."""
        none = np.empty((len(records), 0), np.int32)
        each = [booster.leaves(records) for booster in self.boosters if booster.kind != "gblinear"]
        return np.concatenate([none, *each], axis=1)

    def _contributions(self, records: Rows, approximate: bool) -> NDArray[np.float32]:
        """(n, d + 1), or (n, k, d + 1): the mean over the boosters; last the bias."""
        each = [booster.contributions(records, approximate=approximate) for booster in self.boosters]
        if len({contribution.shape for contribution in each}) > 1:
            raise UserError("contributions: must not be asked of models that differ in their number of features.")
        mean = np.asarray(np.mean(each, axis=0, dtype=np.float64), np.float32)
        return mean[:, 0] if mean.shape[1] == 1 else mean


def _files(folder: Path) -> list[Path]:
    """What may be meant as a model: plain files that are no archives."""
    plain = [path for path in model_folder.entries(folder) if path.is_file()]
    return [path for path in plain if model_folder.read_file(path, len(GZIP)) != GZIP]


def _is_model(path: Path) -> bool:
    """Mostly its beginning shows it."""
    start = model_folder.read_file(path, 4096)
    return interchange.is_model(start) or (
        start.lstrip(b" \t\r\n")[:1] == b"{" and interchange.is_model(model_folder.read_file(path))
    )


def _no_model(folder: Path, named: list[Path]) -> UserError:
    """Why none of the files of a folder is a model."""
    if other := artifact.algorithm_of(folder):
        return artifact.of_another(other, "xgboost")
    for path in sorted(named, key=lambda path: not path.name.startswith(FILE)):
        try:
            interchange.read(model_folder.read_file(path), path.name)
        except UserError as fault:
            return model_folder.NoModel(fault.findings)
    strange = [path.name for path in model_folder.entries(folder) if not path.is_file() and not path.is_dir()]
    if strange:
        return UserError(f"{strange[0]}: must be a plain file; it is none.")
    return model_folder.NoModel(f"{FILE}: there is no model in this folder.")
