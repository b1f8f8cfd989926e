"""What may be set."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Hyperparameters(Settings):
    num_classes: int = integer("how many classes pixels are of", low=2, high=254, role="classes")
    epochs: int = integer("passes over the pictures", default=2, low=1, role="passes")
    mini_batch_size: int = integer("pictures of a step, of all hosts together", default=4, low=1, role="batch")
