"""What a user may set for a random cut forest."""

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, integer, listing

# The widest row that the original takes; a shingle is a row to the forest.
WIDEST = 10_000


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many numbers a row has", low=1, high=WIDEST, role="width")
    eval_metrics: tuple[str, ...] = listing(
        "scores to report on a labeled test channel",
        "accuracy",
        "precision_recall_fscore",
        default=("accuracy", "precision_recall_fscore"),
    )
    num_samples_per_tree: int = integer(
        "how many sampled rows a tree is grown from; its inverse should be near the expected share of anomalies",
        default=256,
        low=1,
        high=2048,
        tune=(1, 2048),
    )
    num_trees: int = integer("how many trees the forest has", default=100, low=50, high=1000, tune=(50, 1000))
    mini_batch_size: int = integer("rows read at a time, of all hosts together", default=1000, role="batch")
    epochs: int = integer(
        "accepted as the original's, which knows one pass; further ones change nothing", default=1, role="passes"
    )
    force_dense: bool = boolean("treat sparse records as dense ones", default=True)
    shingle_size: int = integer(
        "how many rows in a row make a point, where rows are readings of a time series", default=1, low=1, high=WIDEST
    )

    @property
    def width(self) -> int:
        """How many numbers a point has."""
        return self.feature_dim * self.shingle_size

    def faults(self) -> Iterator[str]:
        """What no single field can see, or has no bound in the original's schema."""
        if self.mini_batch_size < 1:
            yield f"mini_batch_size: must be a whole number at least 1; it is {self.mini_batch_size}."
        if self.epochs < 1:
            yield f"epochs: must be a whole number at least 1; it is {self.epochs}."
        if self.width > WIDEST:
            yield (
                f"shingle_size: times feature_dim ({self.feature_dim}) must be at most {WIDEST}; "
                f"it is {self.shingle_size}."
            )
