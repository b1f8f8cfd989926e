"""What training leaves: settings, and what was learned of each column. All of it stands in `model.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport import Table, UserError, artifact
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.model_folder import NoModel, read_file

from .columns import Categories, Numbers, Place, hashed, numbers_of, one_hot
from .hyperparameters import Hyperparameters

NAME = "column-transformer"
MOST = 100_000  # numbers that a row may become
# Settings that a model keeps; the others are of training alone.
KEPT = (
    *("numbers", "categories", "texts", "imputation", "fill_value", "scaling"),
    *("missing_category", "unknown", "max_categories", "hash_features"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """How rows of texts become rows of numbers."""

    settings: Hyperparameters
    width: int  # columns of a row
    numbers: dict[int, Numbers] = field(default_factory=dict)  # by column
    categories: dict[int, Categories] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """Numbers that a row becomes."""
        own = self.settings.missing_category == "own"
        hot = sum(len(each.names(own=own)) for each in self.categories.values())
        return len(self.numbers) + hot + len(self.settings.texts) * self.settings.hash_features

    def predict(self, records: Table, options: object = None) -> Mapping[str, NDArray[Any]]:
        """(n, features) float32: numbers, one-hot columns and hashed words, each in the order of the settings."""
        blocks = [np.empty((len(records), 0), np.float32)]
        for column in self.settings.numbers:
            blocks.append(self._scaled(column, records.texts(column), records.place)[:, None])
        for column in self.settings.categories:
            blocks.append(self._one_hot(column, records.texts(column), records.place))
        for column in self.settings.texts:
            blocks.append(hashed(records.texts(column).strings(), self.settings.hash_features))
        return {"features": np.concatenate(blocks, axis=1)}

    def _scaled(self, column: int, texts: Ragged, place: Place) -> NDArray[np.float32]:
        settings, known = self.settings, self.numbers[column]
        fill = known.mean if settings.imputation == "mean" else settings.fill_value
        values = numbers_of(texts, column, place)
        values = np.where(np.isnan(values), fill, values)
        known = known.filled(fill)
        if settings.scaling == "standard":
            spread = float(np.sqrt(known.squares / max(known.count, 1)))
            values = (values - known.mean) / (spread or 1.0)
        elif settings.scaling == "minmax":
            values = (values - known.low) / ((known.high - known.low) or 1.0)
        with np.errstate(over="ignore"):
            return np.asarray(values, np.float32)

    def _one_hot(self, column: int, texts: Ragged, place: Place) -> NDArray[np.float32]:
        settings, known, entries = self.settings, self.categories[column], texts.encoded()
        own = settings.missing_category == "own"
        if not own:
            frequent = known.frequent.encode()
            entries = [entry or frequent for entry in entries]
        hot, seen = one_hot(entries, known.names(own=own))
        if settings.unknown == "refused" and not seen.all():
            row = int(np.flatnonzero(~seen)[0])
            text = entries[row].decode("utf-8", "replace")[:60]
            raise UserError(f"{place(row)}: column {column} is {text!r}, which training has not seen.")
        return hot

    def sample(self) -> Table:
        """A row, for the first prediction of a server."""
        return Table(columns=tuple(Ragged.texts(["0"]) for _ in range(self.width)))

    def state(self) -> dict[str, Any]:
        """What was learned, as JSON holds it."""
        return {
            "numbers": {str(column): vars(known) for column, known in self.numbers.items()},
            "categories": {str(column): known.counts for column, known in self.categories.items()},
        }

    def save(self, folder: Path) -> None:
        """Write `model.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        settings = self.settings.effective()
        facts = {
            "format_version": artifact.FORMAT_VERSION,
            "algorithm": NAME,
            "width": self.width,
            "settings": {name: settings[name] for name in KEPT},
            **self.state(),
        }
        artifact.put(folder / artifact.FACTS, json.dumps(facts, indent=1, ensure_ascii=False, default=list).encode())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `UserError` where it is no such model."""
        try:
            facts = json.loads(read_file(folder / artifact.FACTS))
        except FileNotFoundError:
            raise NoModel(f"{folder.name}: holds no {artifact.FACTS}.") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{artifact.FACTS}: is not JSON: {error}.") from None
        if not isinstance(facts, dict) or facts.get("algorithm") != NAME:
            raise NoModel(f"{artifact.FACTS}: is no model of '{NAME}'.")
        try:
            return cls._of(facts)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(
                f"{artifact.FACTS}: is not a model of '{NAME}': {str(error)[:200]} is missing or wrong."
            ) from None

    @classmethod
    def _of(cls, facts: Mapping[str, Any]) -> Self:
        settings = Hyperparameters.read({name: facts["settings"][name] for name in KEPT})
        width = facts["width"]
        numbers, categories = restored(facts)
        called = [*settings.numbers, *settings.categories, *settings.texts]
        if not isinstance(width, int) or not 0 < width <= 10_000 or max(called) >= width:
            raise ValueError("width")
        if sorted(numbers) != sorted(settings.numbers) or sorted(categories) != sorted(settings.categories):
            raise ValueError("a column")
        model = cls(settings=settings, width=width, numbers=numbers, categories=categories)
        if model.features > MOST:
            raise ValueError("the number of features")
        return model


def restored(facts: Mapping[str, Any]) -> tuple[dict[int, Numbers], dict[int, Categories]]:
    """What `state` has written; `ValueError`, `TypeError` or `KeyError` where it was something else."""
    numbers = {int(column): Numbers(**known) for column, known in facts["numbers"].items()}
    categories = {int(column): Categories(dict(counts)) for column, counts in facts["categories"].items()}
    for known in (*numbers.values(), *categories.values()):
        known.check()
    return numbers, categories
