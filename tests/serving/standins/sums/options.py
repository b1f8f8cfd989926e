"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, choice, real


class Options(Settings):
    scale: float = real("by which sums are multiplied", default=1.0, aliases=("SUMS_SCALE",))
    sleep: float = real("seconds that the answer takes", default=0.0, low=0)
    verbose: str = choice("whether answers include vectors", "true", "false", default="false")
    fail: str = choice("how it fails", "no", "bug", "memory", "memory of torch", "exit", default="no")
