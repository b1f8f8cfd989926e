"""What training leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from numpy.typing import NDArray


class Model(Protocol):
    """What training leaves. Frozen; knows nothing of how it was trained."""

    @property
    def width(self) -> int | None:
        """How many features a row must have, or None where any will do, or where records are no rows. A server warms
        up with a row of zeros; a model of other records says with a method `sample() -> records` what it warms up with.
        One whose training data counted its keys from 1 says so by `first_feature`, 1, for the fault of a narrower row.
        """

    def predict(self, records: Any, options: Any) -> Mapping[str, NDArray[Any] | list[NDArray[Any]]]:
        """The columns of the answer, one entry a record each."""

    def save(self, folder: Path) -> None:
        """Write the artifact."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an artifact; `UserError` where there is none that can be read."""
