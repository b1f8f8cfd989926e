"""What a row is."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Hyperparameters(Settings):
    feature_dim: int = integer("how many numbers a row has", default=3, low=1, role="width")
