"""What a request may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from algoport.algorithms.contract.hyperparameters import Settings, integer, listing, text

MEAN, QUANTILES, SAMPLES = "mean", "quantiles", "samples"
LINES = "application/jsonlines"


class Options(Settings):
    """The options of one request: its `configuration`."""

    num_samples: int = integer("paths to sample", default=100, low=1, high=100_000)  # more take a worker for minutes
    output_types: tuple[Any, ...] | None = listing(
        "what an answer holds; left out, a request in JSON gets the mean, one in JSON Lines mean and quantiles",
        MEAN,
        QUANTILES,
        SAMPLES,
        default=None,
    )
    quantiles: tuple[Any, ...] = listing(
        "quantiles that an answer holds, and their names in it",
        default=tuple(f"0.{tenth}" for tenth in range(1, 10)),
    )
    content_type: str = text("the type of the request", default="")

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        for quantile in self.quantiles:
            if not _is_share(quantile):
                yield f"quantiles: must be numbers from 0 to 1; one is {str(quantile)[:40]!r}."

    @property
    def wanted(self) -> tuple[str, ...]:
        """What the answer holds."""
        if self.output_types is not None:
            return self.output_types
        return (MEAN, QUANTILES) if self.content_type == LINES else (MEAN,)

    @property
    def levels(self) -> dict[str, float]:
        """The quantiles by the names they were given."""
        return {str(quantile): float(quantile) for quantile in self.quantiles}


def _is_share(quantile: Any) -> bool:
    """Whether it is a number from 0 to 1, or the text of one."""
    if isinstance(quantile, bool) or not isinstance(quantile, int | float | str):
        return False
    try:
        return str(quantile).isascii() and "_" not in str(quantile) and 0 <= float(quantile) <= 1
    except (ValueError, OverflowError):
        return False
