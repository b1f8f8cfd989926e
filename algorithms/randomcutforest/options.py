"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, choice


class Options(Settings):
    """The options of one request."""

    attribution: str = choice(
        "whether each score is shared out among the features: not, as one share each, or as one share each of lying "
        "above and of lying below what is usual",
        "none",
        "total",
        "directions",
        default="none",
        aliases=("RCF_ATTRIBUTION",),
    )
