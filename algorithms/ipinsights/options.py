"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, boolean


class Options(Settings):
    """The options of one request."""

    verbose: bool = boolean(
        "whether an answer also holds both vectors, and whether the entity was in the training data", default=False
    )
