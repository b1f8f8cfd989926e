"""What may be set."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Hyperparameters(Settings):
    epochs: int = integer("passes over the pairs", default=2, low=1, role="passes")
    mini_batch_size: int = integer("pairs of a step, of all hosts together", default=4, low=1, role="batch")
