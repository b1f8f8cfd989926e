"""What may be set."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Hyperparameters(Settings):
    buckets: int = integer("cells that each side is hashed into", default=32, low=1)
    epochs: int = integer("passes over the rows", default=2, low=1, role="passes")
    mini_batch_size: int = integer("rows of a step, of all hosts together", default=4, low=1, role="batch")
