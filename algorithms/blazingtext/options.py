"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Options(Settings):
    """The options of one request: its `configuration`, or of one line of JSON Lines what stands beside its text."""

    k: int = integer("how many labels a text is answered with, by falling probability", default=1, low=1)
