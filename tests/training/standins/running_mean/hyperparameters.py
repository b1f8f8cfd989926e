"""What a test may set."""

from algoport.algorithms.contract.hyperparameters import Settings, choice, integer, real


class Hyperparameters(Settings):
    feature_dim: int = integer("how many numbers a row has", low=1, role="width")
    epochs: int = integer("passes", default=1, low=1, role="passes")
    mini_batch_size: int = integer("rows at a time, of all members", default=100, low=1, role="batch")
    pause: float = real("seconds a step takes", default=0.0, low=0)
    shuffle: int = integer("1: in another order each pass", default=0, low=0, high=1)
    fault: str = choice(
        "what goes wrong after the first step", "none", "bug", "memory", "torch", "user", "kill", "oom", default="none"
    )
    faulty: int = integer("the rank at which it goes wrong", default=0, low=0)
