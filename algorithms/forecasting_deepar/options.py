"""What a request may ask for."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, integer, listing, text

MEAN, QUANTILES, SAMPLES = "mean", "quantiles", "samples"
LINES = "application/jsonlines"


class Options(Settings):
    """The options of one request: its `configuration`."""

    num_samples: int = integer("paths to sample", default=100, low=1)
    output_types: tuple[str, ...] | None = listing(
        "what an answer holds; left out, a request in JSON gets the mean, one in JSON Lines mean and quantiles",
        MEAN,
        QUANTILES,
        SAMPLES,
        default=None,
    )
    quantiles: tuple[str, ...] = listing(
        "quantiles that an answer holds, and their names in it",
        default=tuple(f"0.{tenth}" for tenth in range(1, 10)),
    )
    content_type: str = text("the type of the request", default="")

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        for quantile in self.quantiles:
            try:
                inside = 0 <= float(quantile) <= 1
            except ValueError:
                inside = False
            if not inside:
                yield f"quantiles: must be numbers from 0 to 1; one is '{quantile}'."

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
