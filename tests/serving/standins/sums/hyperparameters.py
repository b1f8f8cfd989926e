"""Nothing to set."""

from algoport.algorithms.contract.hyperparameters import Settings


class Hyperparameters(Settings):
    pass
