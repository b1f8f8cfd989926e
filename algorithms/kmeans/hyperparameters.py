"""What a user may set for k-means."""

from collections.abc import Iterator
from typing import Literal

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, listing, real


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many numbers a row has", low=1, role="width")
    k: int = integer("how many centers to find", low=1)
    epochs: int = integer("passes over the training rows", default=1, low=1, tune=(1, 10), role="passes")
    eval_metrics: tuple[str, ...] = listing(
        "scores to report on the test channel: msd, the mean squared distance, and ssd, the sum",
        "msd",
        "ssd",
        default=("msd",),
    )
    extra_center_factor: int | Literal["auto"] = integer(
        "how many times k centers are kept while streaming; auto: up to 10, as the first batch allows",
        default="auto",
        low=1,
        auto=True,
        tune=(4, 10),
    )
    half_life_time_size: int = integer(
        "after how many further rows the weight of a row has halved; 0: it never fades", default=0, low=0
    )
    init_method: str = choice(
        "how the first centers are drawn", "random", "kmeans++", default="random", tune=("kmeans++", "random")
    )
    local_lloyd_init_method: str = choice(
        "how the shrinking to k centers starts", "random", "kmeans++", default="kmeans++"
    )
    local_lloyd_max_iter: int = integer("most iterations of one shrinking trial", default=300, low=1)
    local_lloyd_num_trials: int | Literal["auto"] = integer(
        "how often shrinking is tried; the best trial counts; auto: 10", default="auto", low=1, auto=True
    )
    local_lloyd_tol: float = real("relative change of the loss below which a trial ends", default=1e-4, low=0, high=1)
    mini_batch_size: int = integer(
        "rows read at a time, of all hosts together", default=5000, low=1, tune=(3000, 15000), role="batch"
    )
    force_dense: bool = boolean("treat sparse records as dense ones", default=True)

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.mini_batch_size < self.k:
            yield f"mini_batch_size: must be at least k ({self.k}); it is {self.mini_batch_size}."
