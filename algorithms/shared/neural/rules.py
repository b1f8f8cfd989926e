"""MXNet's optimizers on whole arrays in a processor's memory, one pass over them a step.    p parameters

The same rules as `optimizers`, which has them for torch: where clipping and weight decay meet differs by rule. Needs no
torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.neural.kernels import rules as kernels
from algoport.algorithms.shared.threads import team

KINDS = {
    "sgd": kernels.SGD,
    "adam": kernels.ADAM,
    "adagrad": kernels.ADAGRAD,
    "adadelta": kernels.ADADELTA,
    "rmsprop": kernels.RMSPROP,
}
STATES = {"sgd": 0, "adam": 2, "adagrad": 1, "adadelta": 2, "rmsprop": 1}  # arrays (p,) that a kind needs

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which optimizer it is, and its settings; what is not set is MXNet's default."""

    kind: str  # of KINDS
    rate: float = 0.001  # adadelta uses none
    decay: float = 0.0  # the share of a weight that is added to its gradient, of adadelta to its step
    rescale: float = 1.0  # what gradients are multiplied by before all else
    clip: float = math.inf  # the largest size of a component of the gradient
    one: float = 0.9  # adam: decay of the mean; rmsprop: of the mean of squares; adadelta: rho
    two: float = 0.999  # adam: decay of the mean of squares

    @property
    def epsilon(self) -> float:
        """What is added to a divisor: within the root, but for adam, where it stands beside the uncorrected one."""
        return {"adam": 1e-8, "adagrad": 1e-7, "adadelta": 1e-5, "rmsprop": 1e-8}.get(self.kind, 0.0)

    @property
    def is_sparse(self) -> bool:
        """Whether a gradient of 0 moves no weight, so that `step_rows_` may take the place of `step_`."""
        return self.kind != "adam" and self.decay == 0

    def numbers(self, count: float, updates: int, decays: bool) -> tuple[np.float32, ...]:
        """What kernels are given."""
        rate = self.rate
        if self.kind == "adam":
            rate *= math.sqrt(1 - self.two**updates) / (1 - self.one**updates)
        decay = self.decay if decays else 0.0
        sizes = self.rescale / count, min(self.clip, 3e38), decay, rate, 1 - self.one, 1 - self.two, self.epsilon
        return tuple(np.float32(own) for own in sizes)


def states(rule: Rule, p: int) -> list[Array]:
    """What an optimizer keeps of so many parameters, before its first step."""
    return [np.zeros(p, np.float32) for _ in range(STATES[rule.kind])]


def step_(
    rule: Rule,
    weights: Array,  # sets (p,)
    gradient: Array,  # in   (p,)  sum over `count` records
    state: list[Array],  # sets (p,) each
    *,
    count: float,
    updates: int,  # this one included
    decays: bool = True,
) -> None:
    """One update. Raises nothing where a gradient is not finite."""
    first, second = _both(state, 0)
    numbers = rule.numbers(count, updates, decays)
    kernels.step_(team(len(weights)), KINDS[rule.kind], weights, gradient, first, second, numbers)


def step_rows_(
    rule: Rule,  # one that `is_sparse`
    rows: NDArray[np.int64],  # (r,) ascending: those that have a gradient
    weights: Array,  # sets (v, g)
    gradient: Array,  # sets (v, g)  sum over `count` records; to 0 when it is used
    state: list[Array],  # sets (v, g) each
    last: NDArray[np.int64],  # sets (v,) the update up to which a row's state stands
    *,
    count: float,
    updates: int,  # this one included
) -> None:
    """One update of a table of which few rows have a gradient: after `settle_` the same bits as by `step_`."""
    first, second = _both(state, len(last), 0)
    workers, numbers = team(len(rows) * weights.shape[1]), rule.numbers(count, updates, False)
    kernels.step_rows_(workers, KINDS[rule.kind], rows, weights, gradient, first, second, last, updates, numbers)


def settle_(
    rule: Rule,
    state: list[Array],  # sets (v, g) each
    last: NDArray[np.int64],  # sets (v,)
    updates: int,
) -> None:
    """Bring the state of all rows to where it stands after so many updates."""
    first, second = _both(state, len(last), 0)
    kernels.fade_rows_(KINDS[rule.kind], first, second, last, updates, rule.numbers(1, updates, False))


def _both(state: list[Array], *shape: int) -> list[Array]:
    """The arrays of an optimizer as kernels take them: two, of which those that it has not are empty."""
    nothing = np.empty(shape, np.float32)
    return [*state, nothing, nothing][:2]
