"""What may be set."""

from algoport.algorithms.contract.hyperparameters import Settings, integer, listing


class Hyperparameters(Settings):
    labels: tuple[str, ...] = listing("the labels that there are", default=("sport", "news"))
    buckets: int = integer("cells that words are hashed into", default=64, low=1)
    epochs: int = integer("passes over the lines", default=2, low=1, role="passes")
    mini_batch_size: int = integer("lines of a step, of all hosts together", default=4, low=1, role="batch")
