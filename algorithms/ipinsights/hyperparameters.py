"""What a user may set for IP Insights."""

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, integer, real


class Hyperparameters(Settings):
    """The settings of one job."""

    num_entity_vectors: int = integer(
        "rows of the table of entities, to which entities are hashed; twice as many as there are entities, or more",
        low=1,
        high=250_000_000,
        tune=(10_000, 1_000_000),
    )
    vector_dim: int = integer("numbers of a vector, of entities and of addresses", low=4, high=4096, tune=(8, 256))
    batch_metrics_publish_interval: int = integer(
        "batches from one line of loss, accuracy and throughput to the next", default=1000, low=1
    )
    epochs: int = integer("passes over the training rows", default=10, low=1, tune=(1, 100), role="passes")
    learning_rate: float = real("step size of Adam", default=0.001, low=1e-6, high=10, tune=(1e-4, 0.1))
    mini_batch_size: int = integer(
        "rows of a step, of all hosts together", default=10_000, low=1, high=500_000, tune=(100, 50_000), role="batch"
    )
    num_ip_encoder_layers: int = integer(
        "hidden layers of the encoder of addresses; 0: their vectors are linear in the 32 bits",
        default=1,
        low=0,
        high=100,
        tune=(1, 10),
    )
    random_negative_sampling_rate: int = integer(
        "negatives of a row with a random address", default=1, low=0, high=500, tune=(0, 10)
    )
    shuffled_negative_sampling_rate: int = integer(
        "negatives of a row with the address of another row of its batch", default=1, low=0, high=500, tune=(0, 10)
    )
    weight_decay: float = real(
        "share of each weight that is added to its gradient", default=1e-5, low=0, high=10, tune=(0.0, 1.0)
    )

    @property
    def negatives(self) -> int:
        """Negatives of a row."""
        return self.random_negative_sampling_rate + self.shuffled_negative_sampling_rate

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if not 1 <= self.negatives <= 500:
            yield (
                "random_negative_sampling_rate, shuffled_negative_sampling_rate: must be from 1 to 500 together; they "
                f"are {self.random_negative_sampling_rate} and {self.shuffled_negative_sampling_rate}."
            )
