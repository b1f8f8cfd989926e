"""One step of MXNet's optimizers on whole arrays in a processor's memory, in one pass over them.    p parameters

The same rules as `neural.optimizers`, which has them for torch: where clipping and weight decay meet differs by rule.
Each number is updated by itself, so nothing depends on the number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.threads import share, team

BLOCK = 1 << 14  # numbers of a block
SGD, ADAM, ADAGRAD, ADADELTA, RMSPROP = range(5)
KINDS = {"sgd": SGD, "adam": ADAM, "adagrad": ADAGRAD, "adadelta": ADADELTA, "rmsprop": RMSPROP}
STATES = {"sgd": 0, "adam": 2, "adagrad": 1, "adadelta": 2, "rmsprop": 1}  # arrays (p,) that a kind keeps

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
    rate = rule.rate
    if rule.kind == "adam":
        rate *= math.sqrt(1 - rule.two**updates) / (1 - rule.one**updates)
    nothing = np.empty(0, np.float32)
    first, second = [*state, nothing, nothing][:2]
    decay = rule.decay if decays else 0.0
    sizes = (rule.rescale / count, min(rule.clip, 3e38), decay, rate, 1 - rule.one, 1 - rule.two, rule.epsilon)
    _step(team(len(weights)), KINDS[rule.kind], weights, gradient, first, second, *(np.float32(own) for own in sizes))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _step(team, kind, weights, gradient, first, second, scale, clip, decay, rate, one, two, eps):
    blocks = (weights.shape[0] + BLOCK - 1) // BLOCK
    numbers = (scale, clip, decay, rate, one, two, eps)
    share(team, _step_of_block, blocks, (kind, weights, gradient, first, second, numbers))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _step_of_block(block, kind, weights, gradient, first, second, numbers):
    begin, end = block * BLOCK, min((block + 1) * BLOCK, weights.shape[0])
    w, g, a, b = weights[begin:end], gradient[begin:end], first[begin:end], second[begin:end]
    if kind == SGD:
        _sgd(w, g, numbers)
    elif kind == ADAM:
        _adam(w, g, a, b, numbers)
    elif kind == ADAGRAD:
        _adagrad(w, g, a, numbers)
    elif kind == ADADELTA:
        _adadelta(w, g, a, b, numbers)
    else:
        _rmsprop(w, g, a, numbers)


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _clipped(x, most):
    low = -most if x < -most else x
    return most if low > most else low


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sgd(w, g, numbers):
    scale, clip, decay, rate, _, _, _ = numbers
    for i in range(len(w)):
        w[i] -= rate * (_clipped(g[i] * scale, clip) + decay * w[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam(w, g, mean, square, numbers):
    """Kingma and Ba 2015; the rate has the corrections of both means."""
    scale, clip, decay, rate, one, two, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale + decay * w[i], clip)
        m, s = mean[i] + one * (x - mean[i]), square[i] + two * (x * x - square[i])
        mean[i], square[i] = m, s
        w[i] -= rate * m / (np.sqrt(s) + eps)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adagrad(w, g, history, numbers):
    """Duchi, Hazan and Singer 2011."""
    scale, clip, decay, rate, _, _, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale, clip)
        s = history[i] + x * x
        history[i] = s
        w[i] -= rate * (x / np.sqrt(s + eps) + decay * w[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adadelta(w, g, square, delta, numbers):
    """Zeiler 2012; uses no rate."""
    scale, clip, decay, _, one, _, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale, clip)
        s = square[i] + one * (x * x - square[i])
        square[i] = s
        step = np.sqrt((delta[i] + eps) / (s + eps)) * x
        delta[i] += one * (step * step - delta[i])
        w[i] -= step + decay * w[i]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _rmsprop(w, g, square, numbers):
    """Tieleman and Hinton 2012."""
    scale, clip, decay, rate, one, _, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale + decay * w[i], clip)
        s = square[i] + one * (x * x - square[i])
        square[i] = s
        w[i] -= rate * x / np.sqrt(s + eps)
