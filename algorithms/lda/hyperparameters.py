"""What a user may set for LDA."""

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, integer, real


class Hyperparameters(Settings):
    """The settings of one job."""

    num_topics: int = integer("how many topics to find", low=1, tune=(1, 150))
    feature_dim: int = integer("how many words the vocabulary has, a column each", low=1, role="width")
    mini_batch_size: int = integer(
        "how many documents the training channel has; of no influence on the result", low=1, role="records"
    )
    alpha0: float = real(
        "the sum of the topics' Dirichlet prior: small where documents have few topics, above 1 for even mixtures",
        default=1.0,
        above=0,
        tune=(0.1, 10),
    )
    max_restarts: int = integer("random starts of the decomposition, of which the best counts", default=10, low=1)
    max_iterations: int = integer("most iterations of one decomposition", default=1000, low=1)
    tol: float = real("change of the fit below which a decomposition ends", default=1e-8, above=0)
    refine: bool = boolean(
        "whether the tensor's topics are refined by expectation maximization, in further passes over the documents",
        default=True,
    )

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.num_topics > self.feature_dim:
            yield (
                f"num_topics: must be at most feature_dim, the words of the vocabulary ({self.feature_dim}); it is "
                f"{self.num_topics}."
            )

    @property
    def candidates(self) -> int:
        """Topics that are computed, of which those with the largest prior stay: a quarter more, as the original."""
        return min(-(-self.num_topics * 5 // 4), self.feature_dim)
