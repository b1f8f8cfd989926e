"""What a user may set for PCA."""

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer

# Features up to which exact sums cost about what those of a sketch do: of 784, .172 s instead of .147.
NARROW = 1024


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many numbers a row has", low=1, role="width")
    mini_batch_size: int = integer(
        "rows read at a time, of all hosts together; of no influence on the result", low=1, role="batch"
    )
    num_components: int = integer("how many principal components to find", low=1)
    algorithm_mode: str = choice(
        "regular: from the exact covariance; randomized: from its products with random directions, for very wide rows",
        "regular",
        "randomized",
        default="regular",
    )
    extra_components: int = integer(
        "randomized: random directions beyond num_components, for accuracy; -1: as many again, 10 at least",
        default=-1,
        low=-1,
    )
    subtract_mean: bool = boolean("center rows in training and when they are projected", default=True)
    force_dense: bool = boolean("treat sparse records as dense ones", default=True)
    epochs: int = integer("accepted; a single pass is made whatever it is", default=1, role="passes")

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.num_components > self.feature_dim:
            yield (f"num_components: must be at most feature_dim ({self.feature_dim}); it is {self.num_components}.")

    @property
    def columns(self) -> int:
        """Random directions: l of the randomized mode."""
        extra = max(10, self.num_components) if self.extra_components == -1 else self.extra_components
        return self.num_components + extra

    @property
    def is_sketched(self) -> bool:
        """Whether a sketch is kept: not where it would be as large as the exact covariance, and only less exact; nor
        where the exact one costs about as much and nobody asked for a number of directions."""
        cheap = self.extra_components == -1 and self.feature_dim <= NARROW
        return self.algorithm_mode == "randomized" and self.columns < self.feature_dim and not cheap
