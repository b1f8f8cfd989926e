"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, integer


class Options(Settings):
    """The options of one request."""

    top_words: int = integer(
        "how many of its heaviest words each of a document's topics is named with; 0: topics are not named",
        default=0,
        low=0,
        high=1000,
    )
