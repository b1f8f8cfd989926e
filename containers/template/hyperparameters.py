"""What a user may set."""

from algoport import Settings, integer, real


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many numbers a row has", low=1, role="width")
    mini_batch_size: int = integer("rows read at a time, of all hosts together", default=5000, low=1, role="batch")
    least_variance: float = real(
        "variance that every feature has at least, so that a constant one has a distance too",
        default=1e-6,
        above=0,
        tune=(1e-9, 1.0),
        scale="Logarithmic",
    )
