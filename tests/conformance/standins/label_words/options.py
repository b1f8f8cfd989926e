"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Options(Settings):
    k: int = integer("how many labels a text is answered with", default=1, low=1)
