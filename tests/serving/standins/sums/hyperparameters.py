"""Nothing to set."""

from algorithms.declare import Settings


class Hyperparameters(Settings):
    pass
