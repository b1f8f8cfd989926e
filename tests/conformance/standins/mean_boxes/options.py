"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Options(Settings):
    annotation: int = integer("whether boxes are given in pixels of the picture", default=0, low=0, high=1)
