"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, boolean


class Options(Settings):
    """The options of one request."""

    verbose: bool = boolean("whether the neighbors' distances, labels and numbers are given, too", default=False)
