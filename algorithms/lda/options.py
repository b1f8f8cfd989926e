"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, integer

MOST_WORDS = 1000  # of a topic


class Options(Settings):
    """The options of one request."""

    top_words: int = integer(
        "how many of its most probable words each of a document's topics is named with; 0: topics are not named",
        default=0,
        low=0,
        high=MOST_WORDS,
    )
